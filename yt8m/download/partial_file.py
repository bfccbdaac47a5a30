"""The unfinished part of one file, which only one process at a time may extend."""

from __future__ import annotations

import contextlib
import os
import sys
from types import TracebackType
from typing import BinaryIO

SUFFIX = ".partial"


class Busy(Exception):
    """Another process is downloading the file."""


class PartialFile:
    """`path + ".partial"`, locked and open for appending; a kill leaves what was received.

    The lock ends with the process, however that ends. Where the file system has no locks, none is
    taken.

    Args:
      path: final path.

    Raises:
      Busy: another process has the lock.
    """

    def __init__(self, path: str):
        self.path, self._partial = path, path + SUFFIX
        self._out: BinaryIO = open(self._partial, "ab", buffering=0)  # noqa: SIM115
        try:
            self._lock()
        except BaseException:
            self._out.close()
            raise

    def _lock(self) -> None:
        if sys.platform == "win32":
            return
        import fcntl

        try:
            fcntl.flock(self._out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy from None
        except OSError:  # the file system has no locks
            return
        # The process that had the lock may have renamed or removed the file meanwhile.
        try:
            same = os.path.samestat(os.fstat(self._out.fileno()), os.stat(self._partial))
        except FileNotFoundError:
            same = False
        if not same:
            raise Busy

    @property
    def size(self) -> int:
        """Bytes received so far."""
        return os.fstat(self._out.fileno()).st_size

    @property
    def name(self) -> str:
        """Path of the unfinished file."""
        return self._partial

    def append(self, chunk: bytes) -> None:
        """Add bytes at the end."""
        left = memoryview(chunk)
        while left:
            left = left[self._out.write(left) :]

    def clear(self) -> int:
        """Forget all bytes, and return how many there were."""
        had = self.size
        self._out.truncate(0)
        return had

    def finish(self) -> None:
        """Give the file its final name."""
        os.fsync(self._out.fileno())
        os.replace(self._partial, self.path)

    def discard(self) -> None:
        """Remove the unfinished file."""
        os.remove(self._partial)

    def __enter__(self) -> PartialFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None and not self.size:  # nothing to go on with
            with contextlib.suppress(OSError):
                self.discard()
        self._out.close()
