"""Shards looked at before they are read, some ahead of the reader, so that it never waits for it.

TensorFlow's reader, which is to skip broken records, would try to open a missing file forever. So
each shard is looked at once in each pass, which also tells its size.
"""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Container, Sequence

import numpy as np
import tensorflow as tf

from yt8m import listing
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.cache import RecordCache
from yt8m.data.files.lengths import may_be_read

_COPIES_AT_ONCE = 8


class Opening:
    """Finds what the reader opens for each shard of a pass.

    Threads of its own look at the next shards of a bucket: TensorFlow has no more threads than the
    machine has cores, and its pipeline would wait in them.

    Args:
      files: shards, in the order in which they are read.
      bad: stops the pipeline if a shard is missing.
      cache: where to read copies of the shards from.
      not_opened: the places of the shards that are not to be opened, whose path is empty.
    """

    def __init__(
        self,
        files: Sequence[str],
        bad: BadRecords,
        cache: RecordCache | None = None,
        not_opened: Container[int] = (),
    ):
        self._files, self._bad, self._cache = files, bad, cache
        self._not_opened = not_opened
        self._at_once = _COPIES_AT_ONCE if cache else listing.AT_ONCE
        self._begun: dict[int, concurrent.futures.Future[tuple[str, int, int]]] = {}
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def __call__(self, index: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Return what the reader opens for a shard.

        Args:
          index: the shard's place among `files`, an integer scalar.

        Returns:
          The path of the shard or of its copy, its size, when it was last written, and whether
          TensorFlow may read it.
        """
        types = (tf.string, tf.int64, tf.int64, tf.bool)
        found = tf.numpy_function(self._find, [index], types)
        return tuple(tf.ensure_shape(x, []) for x in found)

    def _find(self, index: np.ndarray) -> tuple[bytes, np.int64, np.int64, np.bool_]:
        path, size, modified = self._looked_at(int(index))
        return path.encode(), np.int64(size), np.int64(modified), np.bool_(self._readable(path))

    def _readable(self, path: str) -> bool:
        try:
            return bool(path) and may_be_read(path)
        except OSError:  # TensorFlow's reader names what is wrong.
            return True

    def _looked_at(self, index: int) -> tuple[str, int, int]:
        if index in self._not_opened:
            return "", 0, 0
        name = self._files[index]
        try:
            if "://" not in name:
                return self._look(name)
            return self._begin(index).result()
        except (tf.errors.NotFoundError, FileNotFoundError):
            self._bad.refuse(
                f"{name} no longer exists, or is not on this machine; every worker must see the"
                " files that the run began with."
            )

    def _begin(self, index: int) -> concurrent.futures.Future[tuple[str, int, int]]:
        """Begin to look at a shard and at those that will be read next."""
        with self._lock:
            last = min(index + self._at_once, len(self._files))
            for i in range(index, last):
                if i not in self._begun and i not in self._not_opened:
                    self._pool = self._pool or concurrent.futures.ThreadPoolExecutor(self._at_once)
                    self._begun[i] = self._pool.submit(self._look, self._files[i])
            if last == len(self._files) and self._pool is not None:
                self._pool.shutdown(wait=False)  # its threads end with what has begun
                self._pool = None
            return self._begun.pop(index)

    def _look(self, name: str) -> tuple[str, int, int]:
        status = listing.status(name)
        path = name if self._cache is None else self._cache.local(name, status)
        return path, status.size, status.modified
