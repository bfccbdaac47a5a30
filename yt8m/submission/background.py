"""Calls that run in a thread of their own, in order, while the caller computes what comes next."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Callable

_WAITING = 2  # calls that are not done; a batch of 1024 videos with their scores has 16 MB


class Background:
    """A context in which calls run one after another, beside the code that makes them.

    It waits for all of them at its end. What a call raises is raised by a later call or at the end,
    and what had not begun by then is not run.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._pending: deque[Future[Any]] = deque()

    def __call__(self, function: Callable[..., object], *arguments: object) -> None:
        """Run a function after those of before; wait if too many are not done."""
        while len(self._pending) >= _WAITING:
            self._pending.popleft().result()
        self._pending.append(self._pool.submit(function, *arguments))

    def __enter__(self) -> Background:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            while self._pending and error is None:
                self._pending.popleft().result()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
