"""Signals that end a run: the first lets the run save its state, and a second ends it at once."""

from __future__ import annotations

import signal
from typing import Any, Callable


class Stopped(Exception):
    """A run that ended early on a signal, after it saved everything that it needs to resume.

    Attributes:
      number: the signal's; a command exits with 128 + `number`.
    """

    def __init__(self, number: int):
        super().__init__(f"stopped by signal {number}")
        self.number = number


class StopSignal:
    """A context that notes SIGTERM and SIGINT; a second signal raises KeyboardInterrupt.

    Attributes:
      number: the signal that this process has received, or None.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._previous: dict[int, Any] = {}

    def __call__(self) -> bool:
        """Return whether a signal was received."""
        return self.number is not None

    def raise_if_set(self) -> None:
        """Raise `Stopped` if a signal was received."""
        if self.number is not None:
            raise Stopped(self.number)

    def __enter__(self) -> StopSignal:
        self._previous = {s: signal.signal(s, self.note) for s in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def note(self, number: int, _: object = None) -> None:
        """Handle a signal."""
        if self.number is not None:
            raise KeyboardInterrupt
        self.number = number


class StopVote:
    """A vote that stops every worker after the same step.

    Signals reach the workers at different steps, and a worker that stopped alone would make the
    next step of the others fail.

    Args:
      received: what this process has received.
      any_worker: returns whether any worker's flag is set; every worker must call it.

    Attributes:
      number: the signal that ends the run, or 0 while the workers continue.
    """

    def __init__(self, received: StopSignal, any_worker: Callable[[bool], bool]):
        self.received, self.any_worker = received, any_worker
        self.number = 0

    def __call__(self) -> bool:
        """Return whether the run stops here; every worker must ask after the same steps."""
        if not self.number and self.any_worker(self.received()):
            self.number = self.received.number or signal.SIGTERM
        return bool(self.number)
