"""A run that is asked to stop saves where it is; asked twice, it stops at once."""

from __future__ import annotations

import signal
from typing import Any


class Stopped(Exception):
    """A run ended early on a signal, after it saved everything that it needs to resume.

    Attributes:
      number: the signal's; a command exits with 128 + `number`.
    """

    def __init__(self, number: int):
        super().__init__(f"stopped by signal {number}")
        self.number = number


class StopSignal:
    """Within this context SIGTERM and SIGINT are noted in `number`; a second one raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._previous: dict[int, Any] = {}

    def __call__(self) -> bool:
        """Whether the run was asked to stop."""
        return self.number is not None

    def __enter__(self) -> StopSignal:
        self._previous = {s: signal.signal(s, self._note) for s in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: Any) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: Any) -> None:
        if self.number is not None:
            raise KeyboardInterrupt
        self.number = number
