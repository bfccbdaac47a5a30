"""A clock that tests move, and sessions that end by it."""

from __future__ import annotations

import dataclasses
from typing import Any

from yt8m.runs.settings.session import Session


class Clock:
    """Returns the time, in seconds, that the test has set."""

    def __init__(self, now: float = 0.0):
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def takes(self, monkeypatch: Any, owner: Any, name: str, seconds: float) -> None:
        """Let each call of a function that ends normally take so long on this clock."""
        original = getattr(owner, name)

        def slow(*arguments: Any, **more: Any) -> Any:
            result = original(*arguments, **more)
            self.now += seconds
            return result

        monkeypatch.setattr(owner, name, slow)


def in_session(config: Any, clock: Clock, minutes: float, **more: Any) -> Any:
    """Return a run's settings for a session that begins now."""
    session = Session(max_minutes=minutes, began=clock(), clock=clock, **more)
    return dataclasses.replace(config, session=session)
