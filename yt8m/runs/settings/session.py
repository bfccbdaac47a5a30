"""Settings of one session of a run: they end with the process and do not identify the run."""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import time
from collections.abc import Iterator
from typing import Callable

from yt8m.models.core.recipe import OPTIMIZATION
from yt8m.runs.settings.phases import Extension
from yt8m.runs.settings.training import SAVING
from yt8m.settings import MINUTES, setting


@dataclasses.dataclass(frozen=True)
class SessionSettings:
    """What a session decides for a run; `config.json` contains only what comes of it."""

    max_minutes: float = setting(
        0.0,
        help="end this session after so many minutes: the run is saved in time, the exit code is"
        " 75, and the last line is the command that resumes it; nothing that is learnt depends on"
        " it; 0: no limit",
        at_least=0,
        common=True,
        group=SAVING,
        at_most=MINUTES,
    )
    extend: Extension | None = setting(
        None,
        help="how the learning rate goes on where other --num_epochs or --max_steps change the"
        " length of a run. stretch (the default): by the schedule of a run that long. restart: by"
        " a new schedule from the base rate. constant: by one rate, the last one or a tenth of the"
        " base rate, whichever is higher",
        choices=Extension,
        group=OPTIMIZATION,
    )
    extend_learning_rate: float = setting(
        0.0,
        help="rate with which --extend=restart begins, or that --extend=constant holds; 0: as"
        " described there",
        at_least=0,
        group=OPTIMIZATION,
    )


_began: contextvars.ContextVar[float | None] = contextvars.ContextVar("began", default=None)


@contextlib.contextmanager
def begun_at(seconds: float) -> Iterator[None]:
    """Let the sessions that are made in this context have begun at a time of `time.monotonic`."""
    token = _began.set(seconds)
    try:
        yield
    finally:
        _began.reset(token)


def _beginning() -> float:
    seconds = _began.get()
    return time.monotonic() if seconds is None else seconds


@dataclasses.dataclass(frozen=True)
class Session(SessionSettings):
    """A session of this process.

    Attributes:
      began: the time on `clock` at which the session began, in seconds: for a command the start of
        its process, and for a call from Python that call.
      clock: returns the time in seconds.
    """

    began: float = dataclasses.field(default_factory=_beginning)
    clock: Callable[[], float] = time.monotonic
