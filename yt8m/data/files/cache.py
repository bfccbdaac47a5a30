"""Local copies of shards for later epochs."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Sequence
from typing import Callable

import tensorflow as tf

from yt8m import listing
from yt8m.data.files.copies import Copy, FolderCopies, MemoryCopies, NoSpace, check_folder
from yt8m.data.files.memory import available_memory
from yt8m.errors import UserError
from yt8m.listing import FileStatus

_MEMORY = "memory"
_PART = 4 << 20  # bytes that are copied before the end of the session is looked for again


class RecordCache:
    """Keeps copies of the shards for later epochs; the order of the records does not change.

    Args:
      where: "memory", or a local folder (for data in a bucket); see `yt8m.data.files.copies`.
      most_bytes: bytes that the folder may hold; a shard for which there is no room is read where
        it is. 0 sets no limit.
      is_over: whether the session is about to end, so that nothing more is to be copied.
    """

    def __init__(
        self, where: str, most_bytes: int = 0, is_over: Callable[[], bool] = lambda: False
    ):
        in_memory = where == _MEMORY
        self._copies = MemoryCopies() if in_memory else FolderCopies(where, most_bytes)
        self._is_over, self._closed = is_over, threading.Event()

    def local(self, path: str, status: FileStatus) -> str:
        """Return the path of a shard's copy, which is made now if it does not exist.

        The shard's own path is returned if there is no room for a copy, if another process is
        making one, or if the session ends before it is made.

        Args:
          path: the shard.
          status: its status now; a shard that was rewritten is copied again.
        """
        key = f"{path} {status.size} {status.modified}"
        name = hashlib.sha1(key.encode()).hexdigest()[:10] + "-" + os.path.basename(path)
        if self._copies.has(name, status.size):
            return self._copies.path(name)
        copy = None if self._ends() else self._copies.begin(name, status.size)
        if copy is None:
            return self._copies.path(name) if self._copies.has(name, status.size) else path
        try:
            is_whole = self._fill(copy, path, status.size)
        except BaseException as error:
            copy.abandon()
            if isinstance(error, NoSpace):
                return path
            raise
        if not is_whole:
            copy.abandon()
            return path
        copy.close()
        return self._copies.path(name)

    def drop(self, copy: str) -> None:
        """Delete a copy whose bytes have changed; a later epoch makes it again."""
        with contextlib.suppress(tf.errors.OpError):
            tf.io.gfile.remove(copy)

    def close(self) -> None:
        """End the copies that other threads are making, and make no more."""
        self._closed.set()

    def _ends(self) -> bool:
        return self._closed.is_set() or self._is_over()

    def _fill(self, copy: Copy, path: str, size: int) -> bool:
        """Copy a shard, and return whether it had its size, and there was time for it."""
        done = 0
        with tf.io.gfile.GFile(path, "rb") as shard:
            while part := shard.read(_PART):
                done += len(part)
                if done > size or self._ends():  # it is being written, or the session ends
                    return False
                copy.write(part)
        return done == size


def open_cache(
    cache: str,
    cache_dir: str,
    cache_gb: float,
    files: Sequence[str],
    is_over: Callable[[], bool] = lambda: False,
) -> RecordCache | None:
    """Return the cache that a run's settings ask for, or None.

    Args:
      cache: "memory", a local folder, or "".
      cache_dir: a local folder, or "".
      cache_gb: 1e9 bytes that the folder may hold; 0 sets no limit.
      files: the shards.
      is_over: whether the session is about to end, so that nothing more is to be copied.

    Raises:
      UserError: both are set, the folder is remote or cannot be written, or the shards need more
        memory than there is.
    """
    if cache and cache_dir:
        raise UserError(f"--cache={cache} and --cache_dir={cache_dir}: set one of them.")
    if cache_gb and cache in ("", _MEMORY) and not cache_dir:
        raise UserError(f"--cache_gb={cache_gb:g} limits --cache_dir, which is not set.")
    if cache == _MEMORY:
        _check_memory(files)
        return RecordCache(cache, is_over=is_over)
    folder = cache or cache_dir
    if not folder:
        return None
    flag = f"--cache={folder}" if cache else f"--cache_dir={folder}"
    if "://" in folder:
        raise UserError(f"{flag} is remote; name a local folder.")
    try:
        check_folder(folder)
    except (OSError, ImportError) as error:
        raise UserError(
            f"{flag} cannot be written, or its files cannot be locked ({error}); name a folder on"
            " a local disk."
        ) from None
    return RecordCache(folder, int(cache_gb * 1e9), is_over)


def _check_memory(files: Sequence[str]) -> None:
    there, needed = available_memory(), sum(listing.sizes(files))
    if there is not None and needed > there:
        raise UserError(
            f"--cache=memory: the {len(files):,} shards have {needed / 1e9:.1f} GB, but only"
            f" {there / 1e9:.1f} GB of memory are available; set --cache_dir and --cache_gb to"
            " keep them on a local disk, or drop the flag."
        )
