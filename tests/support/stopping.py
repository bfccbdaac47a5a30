"""A signal that arrives after a given number of batches."""

from __future__ import annotations

import signal

import pytest

from yt8m.runs.stop_signal import StopSignal


def stop_after(batches: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next command receive SIGTERM when it asks for signals for that many times."""
    asked: list[int] = []

    def stop(self: StopSignal) -> bool:
        asked.append(1)
        if len(asked) == batches:
            self.note(signal.SIGTERM)
        return self.number is not None

    monkeypatch.setattr(StopSignal, "__call__", stop)
