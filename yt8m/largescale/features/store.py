"""Video-level features on disk, so that a frozen network runs once and a classifier reuses them.

A store is a folder with a plan (`yt8m.largescale.features.plan`) and the features of each shard of
records (`yt8m.largescale.features.shard`).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Callable

import numpy as np

from yt8m.data.files.bad_records import BadRecords
from yt8m.errors import UserError
from yt8m.largescale.executors.in_process import InProcessExecutor
from yt8m.largescale.features.index import INDEX, read_index, remove_index
from yt8m.largescale.features.place import ShardPlace
from yt8m.largescale.features.plan import Compute, FeaturePlan, numpy_dtype
from yt8m.largescale.features.shard import DamagedShard, Shard
from yt8m.largescale.features.shared_windows import SharedWindows
from yt8m.largescale.features.survey import complete
from yt8m.largescale.features.window import (
    Batch,
    Columns,
    FeatureWindow,
    Piece,
    in_batches,
    joined,
    rows_of,
)
from yt8m.largescale.storage.cache import CACHE_BYTES
from yt8m.runs.stop_signal import StopSignal

WINDOW_BYTES = 256 << 20
_REPORT_SECONDS = 10.0


class FeatureStore:
    """Features [N, D] and sparse labels of N videos, read one window at a time.

    `build_feature_store` makes a store. It takes the memory of a window and 13 bytes per shard;
    nothing is kept per video.

    To open a store reads its index and none of its shards. Each shard is compared with the index
    whenever it is read, and with its own checksums when this object first reads it (a copy of a
    shard in a store of objects, when it is made). One that is not what it was ends the reading,
    and removes the index, so that the same command looks at all shards.

    Args:
      folder: the store's folder, or its address in a store of objects, whose shards are copied to
        the local disk to be memory-mapped.
      window_bytes: how many bytes of features are held in memory to shuffle among; larger shards
        are cut.
      cache_bytes: how many bytes of such copies a node keeps.
      shared_by: names the run whose processes share their windows on each node; "" reads them for
        this process alone.

    Attributes:
      num_examples: N.
      width: D.
      num_classes: K.
      dtype: the NumPy type of the features.
      window_bytes, cache_bytes: see above.

    Raises:
      UserError: there is no index, because not all features were computed, or it is damaged.
    """

    def __init__(
        self,
        folder: str,
        window_bytes: int = WINDOW_BYTES,
        cache_bytes: int = CACHE_BYTES,
        shared_by: str = "",
    ):
        self.folder, self.window_bytes = folder, window_bytes
        index = read_index(folder)
        if index is None:
            raise UserError(
                f"{folder} contains no {INDEX}: not all of its features are there; the same command"
                " computes those that are missing."
            )
        self.cache_bytes = cache_bytes
        self._place = ShardPlace(folder, index.plan, cache_bytes)
        self._shared_name = "\n".join((shared_by, folder, index.plan)) if shared_by else ""
        self.dtype, self.width = numpy_dtype(index.dtype), index.width
        self.num_classes = len(index.label_counts)
        self._label_counts, self._stamps = index.label_counts, index.stamps
        self._sizes: list[int] = index.sizes.tolist()
        self._compared = np.zeros(len(self._sizes), bool)
        self.num_examples = sum(self._sizes)
        self._window: tuple[tuple[Piece, ...], FeatureWindow] | None = None

    @property
    def largest_window(self) -> int:
        """The bytes of the largest window's features."""
        whole = self.num_examples * self.width * self.dtype.itemsize
        return min(whole, max(self.window_bytes, self.width * self.dtype.itemsize))

    def label_counts(self) -> np.ndarray:
        """Return the number of positives of each class, int64 [K]."""
        return self._label_counts.copy()

    def sequential(
        self,
        batch_size: int,
        classes: Sequence[int] | None = None,
        shards: Sequence[int] | None = None,
    ) -> Iterator[Batch]:
        """Yield every video once, in the store's order.

        Args:
          batch_size: B.
          classes: labels [C] whose columns are wanted; None is all.
          shards: the numbers of the shards to read; None reads all.

        Yields:
          (features [n, D] in the store's type, labels uint8 [n, C]).
        """
        chosen = range(len(self._sizes)) if shards is None else shards
        columns = Columns(self.num_classes, classes)
        yield from in_batches(map(self._shard, chosen), batch_size, columns)

    def batches(
        self,
        batch_size: int,
        seed: int = 0,
        epoch: int = 0,
        classes: Sequence[int] | None = None,
        skip: int = 0,
        drop_remainder: bool = True,
    ) -> Generator[Batch, None, None]:
        """Yield the batches of one shuffled pass.

        Shards, or parts of large ones, are permuted and gathered into windows of `window_bytes`.
        Each window is read in one sweep and shuffled internally, so memory is bounded and the disk
        is read in order. The order depends only on `seed`, `epoch` and the store, not on `classes`
        or `batch_size`.

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
        with self._sharing() as shared:
            for pieces in self._windows(rng):
                order = rng.permutation(rows_of(pieces))
                if to_skip >= len(order):
                    to_skip -= len(order)
                    continue
                order, to_skip = order[to_skip:], 0
                window = self._load(tuple(pieces), shared)
                while held + len(order) >= batch_size:
                    taken, order = order[: batch_size - held], order[batch_size - held :]
                    yield joined([*pending, window.take(taken, columns)])
                    pending, held = [], 0
                if len(order):
                    pending.append(window.take(order, columns))
                    held += len(order)
                del window  # `_load` releases it before it reads the next
        if held and not drop_remainder:
            yield joined(pending)

    def _windows(self, rng: np.random.Generator) -> Iterator[list[Piece]]:
        """Yield the sorted pieces of each window: shards, and even parts of the larger ones."""
        most = max(1, self.window_bytes // max(1, self.width * self.dtype.itemsize))
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

    def _sharing(self) -> contextlib.AbstractContextManager[SharedWindows | None]:
        if not self._shared_name:
            return contextlib.nullcontext()
        return SharedWindows(self._shared_name, self.largest_window)

    def _load(self, pieces: tuple[Piece, ...], shared: SharedWindows | None) -> FeatureWindow:
        """Return the window of `pieces`; the last one is kept, as a small store is one window."""
        if self._window is None or self._window[0] != pieces:
            self._window = None  # releases the old window before the next one is read
            read = shared.window if shared is not None else FeatureWindow.read
            with self._refusing():
                self._window = (pieces, read(pieces, self._shard, self.width, self.dtype))
        return self._window[1]

    def _shard(self, index: int) -> Shard:
        first = not self._compared[index]
        with self._refusing():
            shard = self._place.whole(index, self.dtype, int(self._stamps[index]), first)
            if shard is None:
                raise DamagedShard(
                    f"the features of shard {index} are no longer in {self.folder}; the same"
                    " command recomputes them."
                )
        self._compared[index] = True
        return shard

    @contextlib.contextmanager
    def _refusing(self) -> Iterator[None]:
        """Let nobody trust the index any longer if a shard is not what it was."""
        try:
            yield
        except DamagedShard:
            with contextlib.suppress(Exception):  # The shard is what the user has to know of.
                remove_index(self.folder)
            raise

    def forget_copies(self) -> None:
        """Delete this node's copies of a store of objects."""
        self._place.forget()


def build_feature_store(
    plan: FeaturePlan,
    compute: Compute,
    bad: BadRecords | None = None,
    stop: StopSignal | None = None,
    say: Callable[[str], None] = print,
) -> FeatureStore:
    """Compute the features of every video of a plan, one shard at a time.

    Complete shards are kept, so a build that was stopped or killed continues where it stopped.

    Args:
      plan: the features.
      compute: maps a batch (as `read_batches` yields it) to features [n, D].
      bad: counts broken records.
      stop: checked before each shard.
      say: prints a line.

    Raises:
      Stopped: `stop` was set.
      UserError: the folder contains other features, or too many records are broken.
    """
    bad, stop = bad or BadRecords(), stop or StopSignal()

    def compute_all(plan: FeaturePlan, missing: Sequence[int]) -> None:
        started = reported = time.monotonic()
        for done, index in enumerate(missing):
            stop.raise_if_set()
            if time.monotonic() - reported > _REPORT_SECONDS:
                reported = time.monotonic()
                speed = done / (reported - started)
                say(f"features of {done} of {len(missing)} shards, {speed:.1f} shards/s")
            plan.compute_shard(index, plan.files[index], compute, bad)

    complete(plan, InProcessExecutor(), compute_all, stop, say)
    return FeatureStore(plan.folder, cache_bytes=plan.cache_bytes)
