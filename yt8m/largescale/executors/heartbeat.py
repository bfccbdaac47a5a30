"""The progress of the task that this process runs, from which its time limit is counted.

How long a task rightly takes depends on the data and the machine, so that no limit on the whole of
it fits. A task whose worker is stuck does nothing at all. Whatever a task repeats, such as reading
a batch, calls `progress()`, and only the time since the last call is limited.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
import time
from collections.abc import Iterator
from typing import Any, Callable

_SENT_IN_A_LIMIT = 8  # how often the driver hears of the progress within a time limit
_MOST_SECONDS = 60.0  # between two messages


class _Watched:
    """A block whose process ends if it makes no progress for `limit` seconds."""

    def __init__(self, limit: float, tell: Callable[[], Any] | None):
        self._limit, self._tell = limit, tell
        self._every = min(limit / _SENT_IN_A_LIMIT, _MOST_SECONDS)
        # Kept, because the timer writes to it without Python's knowledge.
        self._stderr = sys.__stderr__ or open(os.devnull, "w")  # noqa: SIM115
        self._start_timer()

    def _start_timer(self) -> None:
        self._next = time.monotonic() + self._every
        faulthandler.dump_traceback_later(self._limit, exit=True, file=self._stderr)

    def progress(self) -> None:
        if time.monotonic() < self._next:  # To restart the timer starts a thread.
            return
        self._start_timer()
        if self._tell is not None:
            self._tell()


_watched: _Watched | None = None


def progress() -> None:
    """Say that the task goes on; without a time limit this does nothing."""
    if _watched is not None:
        _watched.progress()


@contextlib.contextmanager
def ends_without_progress(limit: float, tell: Callable[[], Any] | None = None) -> Iterator[None]:
    """End this process if the block makes no progress, even if it waits in C code.

    The engine takes the worker for lost then, and another one repeats the task.

    Args:
      limit: seconds from the beginning or the last `progress()`.
      tell: called by some of the calls of `progress()`, at most eight times within a limit.
    """
    global _watched
    _watched = _Watched(limit, tell)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        _watched = None


class Heartbeats:
    """Counts what workers tell of their progress; an actor on the cluster."""

    def __init__(self) -> None:
        self._count = 0

    def tell(self) -> None:
        """Count a message."""
        self._count += 1

    def count(self) -> int:
        """Return the number of messages."""
        return self._count
