"""Video-level features kept on disk, so that a frozen network is run once and its classifier trained on the result.

A store is a folder: `plan.json` says what it is made of, and each input shard has its files (see `feature_shards`).
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any, Callable

import numpy as np
import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.shards import fingerprint
from yt8m.data.pipeline import read_batches
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.largescale.features.shard import DamagedShard, Shard, ShardWriter, map_shard, read_shard
from yt8m.largescale.features.window import Batch, Columns, FeatureWindow, in_batches, joined
from yt8m.largescale.tasks.shared_folder import local_folder, not_shared

PLAN = "plan.json"
Piece = tuple[int, int, int]  # shard, first row, row after the last
_DTYPES = ("float32", "float16", "bfloat16")


def numpy_dtype(name: str) -> np.dtype:
    """Return NumPy's type of "float32", "float16" or "bfloat16".

    Raises:
      ValueError: another name.
    """
    if name not in _DTYPES:
        raise ValueError(f"features are kept as {', '.join(_DTYPES)}, not {name!r}")
    return np.dtype(tf.as_dtype(name).as_numpy_dtype)


class FeatureStore:
    """Features [N, D] and sparse labels of N videos, read window by window; made by `build_feature_store`.

    Memory: a window, and 8 bytes a shard; nothing is held for each video.

    Args:
      folder: of the store; local, because the features are memory-mapped.
      verify: also read every byte of the features and hold it against the checksums, as is always done with the labels.
      window_bytes: features held in memory to shuffle among, at most; larger shards are cut.

    Attributes:
      num_examples, width, num_classes: N, D, K.
      dtype: of the features, a NumPy type.

    Raises:
      UserError: there is none, it is not whole, or its bytes are not those written.
    """

    def __init__(self, folder: str, verify: bool = False, window_bytes: int = 256 << 20):
        self.folder, self._window_bytes = local_folder(folder), window_bytes
        plan = read_plan(self.folder)
        if plan is None:
            raise UserError(f"{folder} holds no {PLAN}: no features were computed there.")
        self.num_classes = int(plan["num_classes"])
        self.dtype = numpy_dtype(plan["dtype"])
        missing, sizes, widths = [], [], [0]
        for i, source in enumerate(plan["sources"]):
            shard = read_shard(self.folder, i, self.dtype, verify)
            if shard is None:
                missing.append(source)
                continue
            sizes.append(len(shard.features))
            widths.append(int(shard.shape[1]))
        if missing:
            raise UserError(
                f"{folder} lacks the features of {len(missing)} of {len(plan['sources'])} shards ({missing[0]}); the same command goes on."
            )
        self.num_examples, self.width, self._sizes = sum(sizes), max(widths), sizes
        self._window: tuple[tuple | None, Any] = (None, None)

    @property
    def ids(self) -> list[str]:
        """The ids of the videos, in the store's order."""
        return [
            i.decode("utf-8", "backslashreplace") for shard in self._shards() for i in shard.ids
        ]

    def label_counts(self) -> np.ndarray:
        """Return the positives of each class, int64 [K]."""
        counts = np.zeros(self.num_classes, np.int64)
        for shard in self._shards():
            for start in range(0, len(shard.indices), 1 << 20):
                counts += np.bincount(
                    shard.indices[start : start + (1 << 20)], minlength=self.num_classes
                )
        return counts

    def sequential(self, batch_size: int, classes: Sequence[int] | None = None) -> Iterator[Batch]:
        """Yield (features [n, D] in the store's type, labels uint8 [n, C]) of every video once, in the store's order."""
        yield from in_batches(self._shards(), batch_size, Columns(self.num_classes, classes))

    def batches(
        self,
        batch_size: int,
        seed: int = 0,
        epoch: int = 0,
        classes: Sequence[int] | None = None,
        skip: int = 0,
        drop_remainder: bool = True,
    ) -> Iterator[Batch]:
        """Yield (features [B, D] in the store's type, labels uint8 [B, C]) of one shuffled pass.

        Shards, or parts of large ones, are permuted and gathered into windows of `window_bytes`, each read
        in one sweep and shuffled within, so that memory is bounded and the disk is read in order. The order
        hangs on `seed`, `epoch` and the store alone, not on `classes` nor `batch_size`.

        Args:
          batch_size: B.
          seed, epoch: of the order.
          classes: whose labels, in this order; None is all.
          skip: batches to leave out at the start, without reading them.
          drop_remainder: leave out a last batch of fewer.
        """
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch])))
        columns = Columns(self.num_classes, classes)
        pending: list[Batch] = []  # fewer than a batch
        held, left_out = 0, skip * batch_size
        for pieces in self._windows(rng):
            order = rng.permutation(sum(high - low for _, low, high in pieces))
            if left_out >= len(order):
                left_out -= len(order)
                continue
            order, left_out = order[left_out:], 0
            window = self._load(tuple(pieces))
            while held + len(order) >= batch_size:
                taken, order = order[: batch_size - held], order[batch_size - held :]
                yield joined([*pending, window.take(taken, columns)])
                pending, held = [], 0
            if len(order):
                pending.append(window.take(order, columns))
                held += len(order)
        if held and not drop_remainder:
            yield joined(pending)

    def _windows(self, rng: np.random.Generator) -> Iterator[list[Piece]]:
        """Yield the pieces of each window, sorted: shards, and the even parts of those that are larger than a window."""
        most = max(1, self._window_bytes // max(1, self.width * self.dtype.itemsize))
        pieces: list[Piece] = []
        for shard, size in enumerate(self._sizes):
            parts = max(1, -(-size // most))
            pieces += [(shard, size * i // parts, size * (i + 1) // parts) for i in range(parts)]
        window: list[Piece] = []
        rows = 0
        for i in rng.permutation(len(pieces)):
            size = pieces[i][2] - pieces[i][1]
            if window and rows + size > most:
                yield sorted(window)
                window, rows = [], 0
            window.append(pieces[i])
            rows += size
        if rows:
            yield sorted(window)

    def _load(self, pieces: tuple[Piece, ...]) -> FeatureWindow:
        """Return what `pieces` hold, read in one sweep; the last window is kept, as a small store is one."""
        if self._window[0] != pieces:
            self._window = (None, None)  # let go of one before the next is read
            self._window = (pieces, FeatureWindow(pieces, self._shard, self.width, self.dtype))
        return self._window[1]

    def _shards(self) -> Iterator[Shard]:
        return (self._shard(i) for i in range(len(self._sizes)))

    def _shard(self, index: int) -> Shard:
        shard = map_shard(self.folder, index, self.dtype)
        if shard is None or len(shard.features) != self._sizes[index]:
            raise UserError(
                f"the features of shard {index} are gone from {self.folder}; the same command computes them again."
            )
        return shard


def build_feature_store(
    folder: str,
    files: list[str],
    schema: RecordSchema,
    compute: Callable[[dict[str, tf.Tensor]], Any],
    dtype: str = "float32",
    about: str = "",
    batch_size: int = 512,
    bad: BadRecords | None = None,
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = print,
) -> FeatureStore | None:
    """Compute the features of every video of `files`, a shard at a time; a build that was killed goes on where it was.

    Args:
      folder: of the store; local.
      files: shards of records.
      schema: what they hold.
      compute: batch (as `read_batches` gives it) -> features [n, D].
      dtype: "float32", "float16" or "bfloat16", as they are kept.
      about: names what computes, such as a fingerprint of the weights; a store of something else is refused.
      batch_size: videos computed together.
      bad: counts broken records.
      stop: asked before each shard; True ends the build.
      say: prints.

    Returns:
      The store, or None when `stop` ended the build.

    Raises:
      UserError: the folder holds the features of something else, or is remote.
    """
    local_folder(folder)
    kept_as, bad = numpy_dtype(dtype), bad or BadRecords()
    plan = {
        "format": 1,
        "sources": list(files),
        "num_classes": schema.num_classes,
        "dtype": dtype,
        "about": about,
    }
    plan["data"] = fingerprint(files)
    # Which features, in which order: the width alone would not tell, and a folder named by --cache is shared by runs.
    plan["schema"] = dataclasses.asdict(schema)
    os.makedirs(folder, exist_ok=True)
    old = read_plan(folder)
    if old is not None and old != json.loads(json.dumps(plan)):
        differ = ", ".join(key for key in plan if old.get(key) != json.loads(json.dumps(plan[key])))
        raise UserError(
            f"{folder} holds the features of something else (other {differ}); delete that folder, or name another."
        )
    if old is None:
        with open(os.path.join(folder, PLAN + ".tmp"), "w", encoding="utf-8") as f:
            json.dump(plan, f, indent=1)
        os.replace(os.path.join(folder, PLAN + ".tmp"), os.path.join(folder, PLAN))
    started, done, told = time.monotonic(), 0, time.monotonic()
    for index, file in enumerate(files):
        if stop():
            return None
        if is_whole(folder, index, kept_as, say):
            continue
        write_shard(folder, index, file, schema, compute, dtype, batch_size, bad)
        done += 1
        if time.monotonic() - told > 10:
            told = time.monotonic()
            say(
                f"features of {index + 1} of {len(files)} shards, {done / (told - started):.1f} a second"
            )
    return FeatureStore(folder)


def is_whole(folder: str, index: int, dtype: np.dtype, say: Callable[[str], None] = print) -> bool:
    """Whether a shard needs no computing: it is there, and its bytes are those written; damage is told."""
    try:
        return read_shard(folder, index, dtype, verify=True) is not None
    except DamagedShard as error:
        say(str(error))
        return False


def write_shard(
    folder: str,
    index: int,
    file: str,
    schema: RecordSchema,
    compute: Callable[[dict[str, tf.Tensor]], Any],
    dtype: str,
    batch_size: int,
    bad: BadRecords,
) -> None:
    """Compute the features of one shard of a store whose plan is written; see `build_feature_store`.

    Raises:
      UserError: the records are not there, or too many are broken.
    """
    if not tf.io.gfile.exists(file):  # where broken records may be skipped, reading would never end
        raise not_shared(f"The records {file} are not there")
    with bad.explained(schema.num_classes), ShardWriter(folder, index, numpy_dtype(dtype)) as out:
        for batch in read_batches([file], schema, bad, batch_size=batch_size):
            out.add(np.asarray(compute(batch)), batch["labels"].numpy(), batch["id"].numpy())


def read_plan(folder: str) -> dict[str, Any] | None:
    """Return the store's plan, or None where there is none."""
    path = os.path.join(folder, PLAN)
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as f:
        return json.load(f)
