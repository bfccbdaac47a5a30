"""Where copies of shards are kept, and how they are written: in a local folder or in memory.

A copy has its name only when it is complete. Processes of one machine may share a folder, so each
unfinished copy is locked by the process that writes it. The system releases the lock of a process
that is killed, and whoever next looks at the folder removes what it left.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import stat
import tempfile
import threading
from collections.abc import Iterator
from typing import BinaryIO, Callable, ClassVar

import tensorflow as tf

from yt8m import listing
from yt8m.files import AtomicWriter, lock

PARTIAL = ".partial"
_FULL = (errno.ENOSPC, errno.EDQUOT)


class NoSpace(Exception):
    """There is no space left for a copy."""


class Copy(AtomicWriter):
    """A copy that is being written."""

    def write(self, content: bytes) -> None:
        """Append bytes.

        Raises:
          NoSpace: the disk is full.
          OSError: it cannot be written for another reason.
        """
        raise NotImplementedError


class FolderCopies:
    """Copies in a local folder, which several processes may share.

    Args:
      folder: a local folder.
      most_bytes: bytes that the folder may hold, with unfinished copies; 0 sets no limit.
    """

    def __init__(self, folder: str, most_bytes: int = 0):
        self._folder, self._most_bytes = folder, most_bytes

    def path(self, name: str) -> str:
        """Return the path of a copy."""
        return os.path.join(self._folder, name)

    def has(self, name: str, size: int) -> bool:
        """Return whether there is a copy of that size."""
        try:
            about = os.stat(self.path(name))
        except OSError:  # It is not there, or its name is a link that leads nowhere.
            return False
        return stat.S_ISREG(about.st_mode) and about.st_size == size

    def begin(self, name: str, size: int) -> FileCopy | None:
        """Begin a copy, or return None if there is no room, or there is one, whole or not.

        Args:
          name: the copy's.
          size: its bytes, which are reserved at once.
        """
        os.makedirs(self._folder, exist_ok=True)
        with locked_folder(self._folder):
            # Another process has just finished it, or its name is a folder's.
            if self.has(name, size) or os.path.isdir(self.path(name)):
                return None
            used = self._used()
            if self._most_bytes and used + size > self._most_bytes:
                return None
            out = _locked_file(self.path(name) + PARTIAL)
            if out is None:
                return None
            out.truncate(size)  # seen by every process, and takes no space yet
        return FileCopy(out, self._folder, self.path(name))

    def _used(self) -> int:
        """Return the bytes in the folder, without the unfinished copies of processes that died."""
        used = 0
        with os.scandir(self._folder) as entries:
            for entry in entries:
                abandoned = _locked_file(entry.path) if entry.name.endswith(PARTIAL) else None
                if abandoned is None:
                    used += entry.stat(follow_symlinks=False).st_size
                else:
                    with abandoned:
                        os.remove(entry.path)
        return used


class FileCopy(Copy):
    """A copy in a local folder, which is locked by the process that writes it."""

    def __init__(self, out: BinaryIO, folder: str, path: str):
        self._out, self._folder, self._path = out, folder, path

    def mapped(self, size: int) -> mmap.mmap:
        """Return the copy's first bytes as memory to write to; `write` then appends to them.

        They are reserved before: a process that writes to a map of a full disk is killed.

        Raises:
          NoSpace: the disk is full, or the system cannot reserve.
          OSError: it cannot be written for another reason.
        """
        try:
            os.posix_fallocate(self._out.fileno(), 0, size)
        except AttributeError:
            raise NoSpace from None
        except OSError as error:
            if error.errno in _FULL:
                raise NoSpace from error
            raise
        self._out.seek(size)
        return mmap.mmap(self._out.fileno(), size)

    def write(self, content: bytes) -> None:
        """Append bytes; see `Copy.write`."""
        try:
            left = memoryview(content)
            while left:
                left = left[self._out.write(left) :]
        except OSError as error:
            if error.errno in _FULL:
                raise NoSpace from error
            raise

    def close(self) -> None:
        """Give the copy its name."""
        with locked_folder(self._folder), self._out:
            os.replace(self._path + PARTIAL, self._path)

    def abandon(self) -> None:
        """Delete what was written."""
        with locked_folder(self._folder), self._out:
            os.remove(self._path + PARTIAL)


@contextlib.contextmanager
def locked_folder(folder: str) -> Iterator[None]:
    """Wait until no other process looks at the folder or changes names in it."""
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _locked_file(path: str) -> BinaryIO | None:
    """Open a file to write it; None if another writes it, or something else has its name.

    The names in its folder must not change meanwhile: see `locked_folder`.
    """
    if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
        return None
    out: BinaryIO = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0)
    if lock(out):
        return out
    out.close()
    return None


def check_folder(folder: str) -> None:
    """Check that copies can be kept in a folder, which is made.

    Raises:
      OSError: it cannot be written, or its files cannot be locked.
      ImportError: this system has no such locks.
    """
    import fcntl

    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as probe, locked_folder(folder):
        fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)


class MemoryCopies:
    """Copies in memory, in a file system that TensorFlow keeps in this process."""

    _ROOT = "ram://yt8m-records"
    _begun: ClassVar[set[str]] = set()  # by any thread
    _lock = threading.Lock()

    def path(self, name: str) -> str:
        """Return the path of a copy."""
        return f"{self._ROOT}/{name}"

    def has(self, name: str, size: int) -> bool:
        """Return whether there is a copy of that size."""
        try:
            return listing.status(self.path(name)).size == size
        except tf.errors.NotFoundError:
            return False

    def begin(self, name: str, size: int) -> Copy | None:
        """Begin a copy, or return None if another thread is writing it or has written it.

        Args:
          name: the copy's.
          size: its bytes.
        """
        with self._lock:
            if name in self._begun or self.has(name, size):
                return None
            self._begun.add(name)
        tf.io.gfile.makedirs(self._ROOT)
        return _MemoryCopy(self.path(name), lambda: self._begun.discard(name))


class _MemoryCopy(Copy):
    def __init__(self, path: str, ended: Callable[[], None]):
        self._path, self._ended = path, ended
        self._out = tf.io.gfile.GFile(path + PARTIAL, "wb")

    def write(self, content: bytes) -> None:
        self._out.write(content)

    def close(self) -> None:
        self._out.close()
        tf.io.gfile.rename(self._path + PARTIAL, self._path, overwrite=True)
        self._ended()

    def abandon(self) -> None:
        self._out.close()
        with contextlib.suppress(tf.errors.NotFoundError):  # nothing was written
            tf.io.gfile.remove(self._path + PARTIAL)
        self._ended()
