"""Video-level features on disk, so that a frozen network runs once and a classifier trains on them.

A store is a folder. Its `plan.json` records what it is made from, and each shard of records has its
own files (see `yt8m.largescale.features.shard`).
"""

from __future__ import annotations

import dataclasses
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
from yt8m.files import read_json
from yt8m.largescale.features.shard import DamagedShard, Shard, ShardWriter, map_shard, read_shard
from yt8m.largescale.features.window import Batch, Columns, FeatureWindow, in_batches, joined
from yt8m.largescale.tasks.shared_folder import local_folder, not_shared
from yt8m.runs.provenance import Provenance
from yt8m.runs.stop_signal import StopSignal

PLAN = "plan.json"
Piece = tuple[int, int, int]  # shard, first row, row after the last
_DTYPES = ("float32", "float16", "bfloat16")
_REPORT_SECONDS = 10.0
_COUNTED_LABELS = 1 << 20  # labels counted at a time


def numpy_dtype(name: str) -> np.dtype:
    """Return NumPy's type for "float32", "float16" or "bfloat16".

    Raises:
      ValueError: the name is another one.
    """
    if name not in _DTYPES:
        raise ValueError(f"features are kept as {', '.join(_DTYPES)}, not {name!r}")
    return np.dtype(tf.as_dtype(name).as_numpy_dtype)


class FeatureStore:
    """Features [N, D] and sparse labels of N videos, read one window at a time.

    `build_feature_store` makes a store. It takes the memory of a window and 8 bytes for each shard;
    nothing is held for each video.

    Args:
      folder: the store's folder; it must be local, because the features are memory-mapped.
      window_bytes: how many bytes of features are held in memory to shuffle among; larger shards
        are cut.

    Attributes:
      num_examples: N.
      width: D.
      num_classes: K.
      dtype: the NumPy type of the features.

    Raises:
      UserError: there is no store, a shard is missing, or the labels differ from their checksums.
    """

    def __init__(self, folder: str, window_bytes: int = 256 << 20):
        self.folder, self._window_bytes = local_folder(folder), window_bytes
        plan = read_plan(self.folder)
        if plan is None:
            raise UserError(f"{folder} holds no {PLAN}: no features were computed there.")
        self.num_classes = int(plan["num_classes"])
        self.dtype = numpy_dtype(plan["dtype"])
        missing, sizes, widths = [], [], [0]
        for i, source in enumerate(plan["sources"]):
            shard = read_shard(self.folder, i, self.dtype)
            if shard is None:
                missing.append(source)
                continue
            sizes.append(len(shard.features))
            widths.append(int(shard.shape[1]))
        if missing:
            raise UserError(
                f"{folder} lacks the features of {len(missing)} of {len(plan['sources'])} shards"
                f" ({missing[0]}); the same command computes them."
            )
        self.num_examples, self.width, self._sizes = sum(sizes), max(widths), sizes
        self._window: tuple[tuple[Piece, ...], FeatureWindow] | None = None

    def label_counts(self) -> np.ndarray:
        """Return the number of positives of each class, int64 [K]."""
        counts = np.zeros(self.num_classes, np.int64)
        for shard in self._shards():
            for start in range(0, len(shard.indices), _COUNTED_LABELS):
                labels = shard.indices[start : start + _COUNTED_LABELS]
                counts += np.bincount(labels, minlength=self.num_classes)
        return counts

    def sequential(self, batch_size: int, classes: Sequence[int] | None = None) -> Iterator[Batch]:
        """Yield every video once, in the store's order.

        Args:
          batch_size: B.
          classes: labels [C] whose columns are wanted; None is all.

        Yields:
          (features [n, D] in the store's type, labels uint8 [n, C]).
        """
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
        """Yield the batches of one shuffled pass.

        Shards, or parts of large ones, are permuted and gathered into windows of `window_bytes`.
        Each window is read in one sweep and shuffled within, so memory is bounded and the disk is
        read in order. The order depends on `seed`, `epoch` and the store alone, not on `classes` or
        `batch_size`.

        Args:
          batch_size: B.
          seed: decides the order, together with `epoch`.
          epoch: the number of the pass.
          classes: labels [C] whose columns are wanted, in this order; None is all.
          skip: how many batches to leave out at the start without reading them.
          drop_remainder: leave out a last batch that is smaller.

        Yields:
          (features [B, D] in the store's type, labels uint8 [B, C]).
        """
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch])))
        columns = Columns(self.num_classes, classes)
        pending: list[Batch] = []  # less than a batch
        held, to_skip = 0, skip * batch_size
        for pieces in self._windows(rng):
            order = rng.permutation(sum(high - low for _, low, high in pieces))
            if to_skip >= len(order):
                to_skip -= len(order)
                continue
            order, to_skip = order[to_skip:], 0
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
        """Yield the sorted pieces of each window: shards, and even parts of the larger ones."""
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
        """Return the window of `pieces`; the last one is kept, as a small store is one window."""
        if self._window is None or self._window[0] != pieces:
            self._window = None  # releases the old window before the next one is read
            self._window = (pieces, FeatureWindow(pieces, self._shard, self.width, self.dtype))
        return self._window[1]

    def _shards(self) -> Iterator[Shard]:
        return (self._shard(i) for i in range(len(self._sizes)))

    def _shard(self, index: int) -> Shard:
        shard = map_shard(self.folder, index, self.dtype)
        if shard is None or len(shard.features) != self._sizes[index]:
            raise UserError(
                f"the features of shard {index} have gone from {self.folder}; the same command"
                " computes them again."
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
    stop: StopSignal | None = None,
    say: Callable[[str], None] = print,
) -> FeatureStore:
    """Compute the features of every video of `files`, one shard at a time.

    Shards that are whole are kept, so a build that was stopped or killed goes on where it was.

    Args:
      folder: the store's folder, a local one.
      files: shards of records.
      schema: what the records hold.
      compute: maps a batch (as `read_batches` yields it) to features [n, D].
      dtype: "float32", "float16" or "bfloat16", in which the features are kept.
      about: names what computes them, such as a fingerprint of the weights. A store of something
        else is refused.
      batch_size: how many videos are computed together.
      bad: counts broken records.
      stop: checked before each shard.
      say: prints a line.

    Returns:
      The finished store.

    Raises:
      Stopped: `stop` was set.
      UserError: the folder holds other features, or is remote.
    """
    kept_as, bad, stop = numpy_dtype(dtype), bad or BadRecords(), stop or StopSignal()
    write_plan(folder, files, schema, dtype, about)
    started = reported = time.monotonic()
    done = 0
    for index, file in enumerate(files):
        stop.raise_if_set()
        if is_whole(folder, index, kept_as, say):
            continue
        write_shard(folder, index, file, schema, compute, dtype, batch_size, bad)
        done += 1
        if time.monotonic() - reported > _REPORT_SECONDS:
            reported = time.monotonic()
            speed = done / (reported - started)
            say(f"features of {index + 1} of {len(files)} shards, {speed:.1f} shards/s")
    return FeatureStore(folder)


def write_plan(folder: str, files: list[str], schema: RecordSchema, dtype: str, about: str) -> None:
    """Record what a store is made from; see `build_feature_store` for the arguments.

    Raises:
      UserError: the folder holds the features of something else, or is remote.
    """
    local_folder(folder)
    plan = {
        "format": 1,
        "sources": list(files),
        "num_classes": schema.num_classes,
        "dtype": dtype,
        "about": about,
        "data": fingerprint(files),
        # The names and their order: the width alone does not tell them apart, and runs may share a
        # folder that --cache names.
        "schema": dataclasses.asdict(schema),
    }
    made = Provenance(os.path.join(folder, PLAN), plan)
    if made.changed():
        raise UserError(
            f"{folder} holds the features of something else (other {', '.join(made.changed())});"
            " delete that folder, or name another."
        )
    made.record()


def is_whole(folder: str, index: int, dtype: np.dtype, say: Callable[[str], None] = print) -> bool:
    """Whether a shard is there with the bytes that were written; `say` reports any damage."""
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
    """Compute the features of one shard of a store; see `build_feature_store` for the arguments.

    Raises:
      UserError: the records are not there, or too many are broken.
    """
    if not tf.io.gfile.exists(file):  # reading would never end where broken records may be skipped
        raise not_shared(f"The records {file} are not there")
    with bad.explained(schema.num_classes), ShardWriter(folder, index, numpy_dtype(dtype)) as out:
        for batch in read_batches([file], schema, bad, batch_size=batch_size):
            out.add(np.asarray(compute(batch)), batch["labels"].numpy(), batch["id"].numpy())


def read_plan(folder: str) -> dict[str, Any] | None:
    """Return the store's plan, or None if there is none."""
    path = os.path.join(folder, PLAN)
    return read_json(path) if os.path.exists(path) else None
