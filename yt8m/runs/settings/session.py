"""Settings of one session of a run: they end with the process and do not identify the run."""

from __future__ import annotations

import dataclasses
import time
from typing import Callable

from yt8m.runs.settings.training import SAVING
from yt8m.settings import setting


@dataclasses.dataclass(frozen=True)
class SessionSettings:
    """How long this process may train, which `config.json` does not contain."""

    max_minutes: float = setting(
        0.0,
        help="end this session after so many minutes: the run is saved in time, the exit code is"
        " 75, and the last line is the command that resumes it; nothing that is learnt depends on"
        " it; 0: no limit",
        at_least=0,
        common=True,
        group=SAVING,
    )


@dataclasses.dataclass(frozen=True)
class Session(SessionSettings):
    """A session of this process.

    Attributes:
      began: the time on `clock` at which the session began, in seconds.
      clock: returns the time in seconds.
    """

    began: float = dataclasses.field(default_factory=time.monotonic)
    clock: Callable[[], float] = time.monotonic
