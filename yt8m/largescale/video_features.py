"""Video-level features kept on disk, so that a frozen network is run once and its classifier trained on the result.

A store is a folder: `plan.json` says what it is made of, and each input shard has its files (see `feature_shards`).
"""

from __future__ import annotations

import json
import os
import time
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf

from yt8m.data.bad_records import BadRecords
from yt8m.data.pipeline import build_dataset
from yt8m.data.schema import RecordSchema
from yt8m.data.sources import fingerprint
from yt8m.errors import UserError
from yt8m.largescale.feature_shards import ShardWriter, read_shard
from yt8m.largescale.shared_folder import local_folder, not_shared

PLAN = "plan.json"
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
    """Features [N, D] and sparse labels of N videos, read shard by shard; made by `build_feature_store`.

    Args:
      folder: of the store; local, because the features are memory-mapped.
      verify: also read every byte and hold it against the checksums.
      window_bytes: features held in memory to shuffle among.

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
        shards = [read_shard(self.folder, i, self.dtype, verify) for i in range(len(plan["sources"]))]
        missing = [plan["sources"][i] for i, shard in enumerate(shards) if shard is None]
        if missing:
            raise UserError(f"{folder} lacks the features of {len(missing)} of {len(shards)} shards ({missing[0]}); the same command goes on.")
        sizes = [len(s.features) for s in shards]
        self.num_examples = sum(sizes)
        self.width = max(int(s.shape[1]) for s in shards)
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)  # first row of each shard
        self._features = [s.features for s in shards]
        self._ids = np.concatenate([s.ids for s in shards])
        counts = np.concatenate([np.diff(s.indptr) for s in shards])
        self._indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self._indices = np.concatenate([s.indices for s in shards])
        self._window: Tuple[Optional[tuple], Any] = (None, None)

    @property
    def ids(self) -> List[str]:
        """The ids of the videos, in the store's order."""
        return [i.decode() for i in self._ids]

    def label_counts(self) -> np.ndarray:
        """Return the positives of each class, int64 [K]."""
        return np.bincount(self._indices, minlength=self.num_classes).astype(np.int64)

    def labels(self, rows: np.ndarray, classes: Optional[Sequence[int]] = None) -> np.ndarray:
        """Return the multi-hot labels of `rows` [n] for `classes` [C] (default: all), uint8 [n, C]."""
        column, width = np.arange(self.num_classes), self.num_classes
        if classes is not None:
            width = len(classes)
            column = np.full(self.num_classes, -1, np.int64)
            column[np.asarray(classes, np.int64)] = np.arange(width)
        first = self._indptr[rows]
        counts = self._indptr[np.asarray(rows) + 1] - first
        into = np.repeat(np.arange(len(rows)), counts)
        found = column[self._indices[np.arange(counts.sum()) + np.repeat(first - (np.cumsum(counts) - counts), counts)]]
        out = np.zeros((len(rows), width), np.uint8)
        out[into[found >= 0], found[found >= 0]] = 1
        return out

    def sequential(self, batch_size: int, classes: Optional[Sequence[int]] = None) -> Iterator[Tuple[np.ndarray, np.ndarray]]:
        """Yield (features [n, D] in the store's type, labels uint8 [n, C]) of every video once, in the store's order."""
        for start in range(0, self.num_examples, batch_size):
            rows = np.arange(start, min(start + batch_size, self.num_examples))
            yield self._slice(rows[0], rows[-1] + 1), self.labels(rows, classes)

    def batches(
        self,
        batch_size: int,
        seed: int = 0,
        epoch: int = 0,
        classes: Optional[Sequence[int]] = None,
        skip: int = 0,
        drop_remainder: bool = True,
    ) -> Iterator[Tuple[np.ndarray, np.ndarray]]:
        """Yield (features [B, D] in the store's type, labels uint8 [B, C]) of one shuffled pass.

        Shards are permuted and gathered into windows of `window_bytes`, each read in one sweep and
        shuffled within, so that memory is bounded and the disk is read in order. The order hangs on
        `seed`, `epoch` and the store alone, not on `classes` nor `batch_size`.

        Args:
          batch_size: B.
          seed, epoch: of the order.
          classes: whose labels, in this order; None is all.
          skip: batches to leave out at the start, without reading them.
          drop_remainder: leave out a last batch of fewer.
        """
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, epoch])))
        pending: List[Tuple[np.ndarray, np.ndarray]] = []  # rows and their features, fewer than a batch
        held, left_out = 0, skip * batch_size
        for shards in self._windows(rng):
            rows = np.concatenate([np.arange(self._starts[s], self._starts[s + 1]) for s in shards])
            order = rng.permutation(len(rows))
            if left_out >= len(rows):
                left_out -= len(rows)
                continue
            order, left_out = order[left_out:], 0
            window = self._load(tuple(shards))
            while held + len(order) >= batch_size:
                taken, order = order[: batch_size - held], order[batch_size - held :]
                pending.append((rows[taken], window[taken]))
                yield self._batch(pending, classes)
                pending, held = [], 0
            if len(order):
                pending.append((rows[order], window[order]))
                held += len(order)
        if held and not drop_remainder:
            yield self._batch(pending, classes)

    def _batch(self, pending: List[Tuple[np.ndarray, np.ndarray]], classes: Any) -> Tuple[np.ndarray, np.ndarray]:
        rows, parts = zip(*pending)
        features = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return features, self.labels(np.concatenate(rows), classes)

    def _windows(self, rng: np.random.Generator) -> Iterator[List[int]]:
        """Yield the shards of each window, sorted."""
        most = max(1, self._window_bytes // max(1, self.width * self.dtype.itemsize))
        window, rows = [], 0
        for shard in rng.permutation(len(self._features)):
            size = int(self._starts[shard + 1] - self._starts[shard])
            if window and rows + size > most:
                yield sorted(window)
                window, rows = [], 0
            window.append(int(shard))
            rows += size
        if rows:
            yield sorted(window)

    def _load(self, shards: tuple) -> np.ndarray:
        """Return the features of `shards`, read in one sweep; the last window is kept, as a small store is one."""
        if self._window[0] != shards:
            self._window = (None, None)  # let go of one before the next is read
            self._window = (shards, np.concatenate([self._features[s] for s in shards if len(self._features[s])]))
        return self._window[1]

    def _slice(self, start: int, stop: int) -> np.ndarray:
        first = int(np.searchsorted(self._starts, start, side="right")) - 1
        parts = []
        for s in range(first, len(self._features)):
            low, high = max(start, self._starts[s]) - self._starts[s], min(stop, self._starts[s + 1]) - self._starts[s]
            if self._starts[s] >= stop:
                break
            if high > low:
                parts.append(np.asarray(self._features[s][low:high]))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def build_feature_store(
    folder: str,
    files: List[str],
    schema: RecordSchema,
    compute: Callable[[Dict[str, tf.Tensor]], Any],
    dtype: str = "float32",
    about: str = "",
    batch_size: int = 512,
    bad: Optional[BadRecords] = None,
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = print,
) -> Optional[FeatureStore]:
    """Compute the features of every video of `files`, a shard at a time; a build that was killed goes on where it was.

    Args:
      folder: of the store; local.
      files: shards of records.
      schema: what they hold.
      compute: batch (as `build_dataset` gives it) -> features [n, D].
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
    plan = {"format": 1, "sources": list(files), "num_classes": schema.num_classes, "dtype": dtype, "about": about}
    plan["data"] = fingerprint(files)
    os.makedirs(folder, exist_ok=True)
    old = read_plan(folder)
    if old is not None and old != json.loads(json.dumps(plan)):
        differ = ", ".join(key for key in plan if old.get(key) != json.loads(json.dumps(plan[key])))
        raise UserError(f"{folder} holds the features of something else (other {differ}); delete that folder, or name another.")
    if old is None:
        with open(os.path.join(folder, PLAN + ".tmp"), "w", encoding="utf-8") as f:
            json.dump(plan, f, indent=1)
        os.replace(os.path.join(folder, PLAN + ".tmp"), os.path.join(folder, PLAN))
    started, done, told = time.monotonic(), 0, time.monotonic()
    for index, file in enumerate(files):
        if stop():
            return None
        if read_shard(folder, index, kept_as, verify=True) is not None:
            continue
        write_shard(folder, index, file, schema, compute, dtype, batch_size, bad)
        done += 1
        if time.monotonic() - told > 10:
            told = time.monotonic()
            say(f"features of {index + 1} of {len(files)} shards, {done / (told - started):.1f} a second")
    return FeatureStore(folder)


def write_shard(
    folder: str,
    index: int,
    file: str,
    schema: RecordSchema,
    compute: Callable[[Dict[str, tf.Tensor]], Any],
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
        for batch in build_dataset([file], schema, batch_size=batch_size, bad_records=bad):
            out.add(np.asarray(compute(batch)), batch["labels"].numpy(), batch["id"].numpy())


def read_plan(folder: str) -> Optional[Dict[str, Any]]:
    """Return the store's plan, or None where there is none."""
    path = os.path.join(folder, PLAN)
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as f:
        return json.load(f)
