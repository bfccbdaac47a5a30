"""Local copies of shards for later epochs."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence

import tensorflow as tf

from yt8m import listing
from yt8m.errors import UserError
from yt8m.listing import FileStatus

_MEMORY = "ram://yt8m-records"  # a file system that TensorFlow keeps in this process
_PARTIAL = ".partial"
_ABANDONED_SECONDS = 300.0  # without growth, after which another process's copy is given up


class RecordCache:
    """Keeps copies of the shards for later epochs; the order of the records does not change.

    Processes of one machine may share a folder. A copy has its name only when it is complete, so
    the copies of a killed run remain useful.

    Args:
      where: "memory", or a local folder (for data in a bucket).
      most_bytes: bytes that the folder may hold; a shard for which there is no room is read where
        it is. 0 sets no limit.
    """

    def __init__(self, where: str, most_bytes: int = 0):
        self.where = _MEMORY if where == "memory" else where
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._reserved = 0  # bytes of copies that this process is making

    def local(self, path: str, status: FileStatus) -> str:
        """Return the path of a shard's copy, which is made now if it does not exist.

        The shard's own path is returned if there is no room for a copy, or if another process is
        making one.

        Args:
          path: the shard.
          status: its status now; a shard that was rewritten is copied again.
        """
        key = f"{path} {status.size} {status.modified}"
        stem = hashlib.sha1(key.encode()).hexdigest()[:10] + "-" + os.path.basename(path)
        copy = os.path.join(self.where, stem)
        if _size(copy) == status.size:
            return copy
        tf.io.gfile.makedirs(self.where)
        with self._room_for(status.size) as there_is_room:
            return copy if there_is_room and _copied(path, copy, status.size) else path

    @contextlib.contextmanager
    def _room_for(self, size: int) -> Iterator[bool]:
        if not self._most_bytes:
            yield True
            return
        with self._lock:
            fits = self._used() + self._reserved + size <= self._most_bytes
            self._reserved += size if fits else 0
        try:
            yield fits
        finally:
            with self._lock:
                self._reserved -= size if fits else 0

    def _used(self) -> int:
        with os.scandir(self.where) as entries:
            return sum(e.stat().st_size for e in entries if not e.name.endswith(_PARTIAL))


def _size(path: str) -> int:
    try:
        return listing.status(path).size
    except tf.errors.NotFoundError:
        return -1


def _copied(path: str, copy: str, size: int) -> bool:
    """Copy a shard, and return whether the copy is there and has its size.

    There is none if another process is making it, or if the disk is full.
    """
    partial = copy + _PARTIAL
    if "://" not in copy and not _begin(partial):
        return False
    try:
        tf.io.gfile.copy(path, partial, overwrite=True)
        if _size(partial) != size:  # the shard is being written
            tf.io.gfile.remove(partial)
            return False
        tf.io.gfile.rename(partial, copy, overwrite=True)
    except BaseException as error:
        with contextlib.suppress(tf.errors.OpError):
            tf.io.gfile.remove(partial)
        if isinstance(error, tf.errors.ResourceExhaustedError):  # the disk is full
            return False
        raise
    return True


def _begin(partial: str) -> bool:
    """Return whether this process may write the file, which no other one is writing."""
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        try:
            if time.time() - os.stat(partial).st_mtime < _ABANDONED_SECONDS:
                return False
            os.utime(partial)
        except FileNotFoundError:  # it was completed in between
            return False
    return True


def open_cache(
    cache: str, cache_dir: str, cache_gb: float, files: Sequence[str]
) -> RecordCache | None:
    """Return the cache that a run's settings ask for, or None.

    Args:
      cache: "memory", a local folder, or "".
      cache_dir: a local folder, or "".
      cache_gb: 1e9 bytes that `cache_dir` may hold; 0 sets no limit.
      files: the shards.

    Raises:
      UserError: both are set, the folder is remote or cannot be written, or the shards need more
        memory than there is.
    """
    if cache and cache_dir:
        raise UserError(f"--cache={cache} and --cache_dir={cache_dir}: set one of them.")
    if cache_gb and not cache_dir:
        raise UserError(f"--cache_gb={cache_gb:g} limits --cache_dir, which is not set.")
    if "://" in cache_dir:
        raise UserError(f"--cache_dir={cache_dir} is remote; name a local folder.")
    if cache == "memory":
        _check_memory(files)
    if cache_dir:
        _check_folder(cache_dir)
        return RecordCache(cache_dir, int(cache_gb * 1e9))
    return RecordCache(cache) if cache else None


def _check_folder(folder: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(
            f"--cache_dir={folder} cannot be written ({error.strerror}); name another folder."
        ) from None


def _check_memory(files: Sequence[str]) -> None:
    there, needed = _available_memory(), sum(listing.sizes(files))
    if there is not None and needed > there:
        raise UserError(
            f"--cache=memory: the {len(files):,} shards have {needed / 1e9:.1f} GB, but only"
            f" {there / 1e9:.1f} GB of memory are available; set --cache_dir and --cache_gb to"
            " keep them on a local disk, or drop the flag."
        )


def _available_memory() -> int | None:
    """Return the available bytes of memory, or None where the system does not say."""
    try:
        with open("/proc/meminfo") as source:
            lines = dict(line.split(":", 1) for line in source)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
