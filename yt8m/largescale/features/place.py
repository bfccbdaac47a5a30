"""Where the shards of a feature store are: in a folder, or in a store of objects with local copies.

Shards are memory-mapped, so those of a store of objects are copied to the node's disk first, each
when it is first needed, and compared with its checksums there.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator

import numpy as np

from yt8m.largescale.executors import progress
from yt8m.largescale.features.shard import DamagedShard, Shard, map_shard, read_shard, shard_files
from yt8m.largescale.storage import cache, objects

_TRIES = 3


class ShardPlace:
    """The shards of a feature store.

    Args:
      address: a folder, or the address of one in a store of objects.
      plan: identifies what the store's plan says. It tells the copies of one store from those of
        another that was at the same address before.
      cache_bytes: how many bytes of copies a node keeps.

    Attributes:
      folder: where this process finds and writes the shards' files.
    """

    def __init__(self, address: str, plan: str, cache_bytes: int = cache.CACHE_BYTES):
        self._address, self._most, self._remote = address, cache_bytes, "://" in address
        self.folder = cache.folder_of(address, plan) if self._remote else address
        if self._remote:
            os.makedirs(self.folder, exist_ok=True)

    def whole(self, index: int, dtype: np.dtype, stamp: int, verify: bool) -> Shard | None:
        """Return a shard with its features, or None if it is missing or another than it was.

        Args:
          index: the index of the shard.
          dtype: the type of the features.
          stamp: what `Shard.stamp` was when the store was complete.
          verify: compare a shard in a folder with its checksums. Copies were compared when they
            were made.

        Raises:
          DamagedShard: its bytes are not those that were written. In a store of objects it then
            counts as missing, so that the same command computes it again.
        """
        if not self._remote:
            read = functools.partial(read_shard, verify=True) if verify else map_shard
            shard = read(self.folder, index, dtype)
            return shard if shard is not None and shard.stamp == stamp else None
        for _ in range(_TRIES):  # another process may delete a copy
            if not self._copied(index, dtype):
                return None
            with contextlib.suppress(FileNotFoundError):
                shard = map_shard(self.folder, index, dtype)
                if shard is not None and shard.stamp == stamp:
                    return shard
                self._drop(index)  # a copy of what was there before the shard was computed again
        return None

    def stored(self, index: int, dtype: np.dtype, verify: bool) -> Shard | None:
        """Return a shard as it is stored now, for its labels and shape, or None if it is missing.

        Of a store of objects the rows are read, the features only measured: whoever copies them
        compares them with their checksum. They are [n, 0].

        Args:
          index: the index of the shard.
          dtype: the type of the features.
          verify: compare the features in a folder with their checksum.

        Raises:
          DamagedShard: its bytes are not those that were written.
        """
        if not self._remote:
            return read_shard(self.folder, index, dtype, verify)
        with tempfile.TemporaryDirectory(prefix="yt8m-") as here:  # a map outlives its file
            features, rows = shard_files(here, index)
            if not objects.get(self._at(rows), rows):
                return None
            shard = read_shard(here, index, dtype, with_features=False)
            assert shard is not None  # its rows were just copied
            n, width = (int(x) for x in shard.shape)
            there = objects.size(self._at(features))
            return shard if there == n * width * dtype.itemsize else None

    def publish(self, index: int) -> None:
        """Let every node see a shard that was written into `folder`: the rows, which come last."""
        if self._remote:
            for path in shard_files(self.folder, index):
                objects.put(path, self._at(path))
                cache.added(path, self._most)

    def forget(self) -> None:
        """Delete this node's copies."""
        if self._remote:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _copied(self, index: int, dtype: np.dtype) -> bool:
        """Return whether a shard is on this disk, after copying what is not."""
        files = shard_files(self.folder, index)
        if all([cache.used(path) for path in files]):
            return True
        if not all(self._get(path) for path in files):
            return False
        with self._refusing(index):
            return read_shard(self.folder, index, dtype, verify=True) is not None

    @contextlib.contextmanager
    def _refusing(self, index: int) -> Iterator[None]:
        """Let a damaged shard count as missing from now on, here and in the store of objects."""
        try:
            yield
        except DamagedShard:
            objects.remove(self._at(shard_files(self.folder, index)[1]))
            self._drop(index)
            raise

    def _drop(self, index: int) -> None:
        """Delete this node's copy of a shard."""
        for path in shard_files(self.folder, index):
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)

    def _get(self, path: str) -> bool:
        copied = objects.get(self._at(path), path)
        progress()
        if copied:
            cache.added(path, self._most)
        return copied

    def _at(self, path: str) -> str:
        return f"{self._address}/{os.path.basename(path)}"
