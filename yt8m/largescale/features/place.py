"""Where the shards of a feature store are: in a folder, or in a store of objects with local copies.

Shards are memory-mapped, so those of a store of objects are copied to the node's disk first, each
when it is first needed, and compared with its checksums there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
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
      plan: what the store's plan says, as a string. It tells the copies of one store from those of
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

    def whole(self, index: int, dtype: np.dtype) -> Shard | None:
        """Return a shard with its features, or None if it is missing.

        Raises:
          DamagedShard: its bytes are not those that were written. In a store of objects it then
            counts as missing, so that the same command computes it again.
        """
        for _ in range(_TRIES if self._remote else 1):  # another process may delete a copy
            if self._remote and not self._copied(index, dtype):
                return None
            with contextlib.suppress(*(FileNotFoundError,) if self._remote else ()):
                shard = map_shard(self.folder, index, dtype)
                if shard is not None:
                    return shard
        return None

    def rows(self, index: int, dtype: np.dtype) -> Shard | None:
        """Return a shard for its labels and shape, or None if it is missing.

        Of a store of objects its features are not copied, and are [n, 0].
        """
        if not self._remote:
            return read_shard(self.folder, index, dtype)
        rows = shard_files(self.folder, index)[1]
        if not cache.used(rows) and not self._get(rows):
            return None
        with self._refusing(index):
            return read_shard(self.folder, index, dtype, with_features=False)

    def publish(self, index: int) -> None:
        """Let every node see a shard that was written into `folder`: the rows, which come last."""
        if self._remote:
            for path in shard_files(self.folder, index):
                objects.put(path, self._at(path))
                cache.added(path, self._most)

    def present(self, count: int) -> set[int]:
        """Return which of the shards 0 .. count - 1 are complete in the store of objects."""
        found = objects.names(self._address)
        files = ((i, map(os.path.basename, shard_files("", i))) for i in range(count))
        return {i for i, names in files if found.issuperset(names)}

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
            files = shard_files(self.folder, index)
            objects.remove(self._at(files[1]))
            for path in files:
                with contextlib.suppress(FileNotFoundError):
                    os.remove(path)
            raise

    def _get(self, path: str) -> bool:
        copied = objects.get(self._at(path), path)
        progress()
        if copied:
            cache.added(path, self._most)
        return copied

    def _at(self, path: str) -> str:
        return f"{self._address}/{os.path.basename(path)}"
