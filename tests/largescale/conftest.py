"""What several tests of the large-scale trainer use."""

import pytest

from yt8m.largescale.executors import heartbeat


@pytest.fixture
def noted(monkeypatch):
    """Count the calls of `progress`."""
    notes = []

    class Watched:
        def progress(self):
            notes.append(1)

    monkeypatch.setattr(heartbeat, "_watched", Watched())
    return notes
