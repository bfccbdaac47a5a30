"""Ctrl-C and SIGTERM as a wish that the step in progress ends where it can be resumed."""

from __future__ import annotations

import signal
from typing import Any, Dict, Optional


class StopSignal:
    """While entered, notes the first signal and raises at the second."""

    def __init__(self) -> None:
        self.number: Optional[int] = None
        self._previous: Dict[Any, Any] = {}

    def __enter__(self) -> "StopSignal":
        self._previous = {s: signal.signal(s, self._on_signal) for s in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: Any) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, _: Any) -> None:
        if self.number is not None:
            raise KeyboardInterrupt
        self.number = number

    def __call__(self) -> bool:
        """Whether a stop is wished for."""
        return self.number is not None

    @property
    def exit_code(self) -> int:
        """As a shell gives it."""
        return 128 + (self.number or 0)
