"""What ends a run early: a signal, or the end of the session that --max_minutes sets.

The first signal lets the run save its state, which is said at once, and a second abandons that.
"""

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections.abc import Iterator
from typing import Any, Callable

from yt8m.process import answered_signals
from yt8m.process.answered_signals import SIGNALS, answered
from yt8m.runs.settings.session import Session

# Shells start background jobs with SIGINT ignored, and runs have always answered it all the same.
ALSO_IF_IGNORED = (signal.SIGTERM, signal.SIGINT)
OUT_OF_TIME = 75  # EX_TEMPFAIL of sysexits.h: nothing is wrong, and trying again continues


class Stopped(Exception):
    """A run that ended early, after it saved everything that it needs to resume.

    Attributes:
      number: the signal's; None if the session's time was over.
      why: "by a signal" or "by --max_minutes".
      code: the exit code of a command, 128 + `number` or 75.
    """

    def __init__(self, number: int | None):
        self.number = number
        self.why = "by --max_minutes" if number is None else "by a signal"
        self.code = OUT_OF_TIME if number is None else 128 + number
        super().__init__("stopped " + (self.why if number is None else f"by signal {number}"))


class Deadline:
    """The end of a session, and whether a run must save now to have saved by then.

    What must still fit before the end is estimated from this session: one and a half times the
    longest saving so far, the time from one question to the next (a step, a batch of the
    validation, a shard), and a margin of 10 s and 1 % of the session, at most 60 s.

    Args:
      session: its length, its beginning and its clock.
    """

    def __init__(self, session: Session):
        minutes = session.max_minutes
        self._clock = session.clock
        self.end = session.began + 60.0 * minutes if minutes else math.inf
        self._margin = min(60.0, 10.0 + 0.6 * minutes)
        self._unmeasured = min(60.0, 1.2 * minutes)  # a guess for a saving, 2 % of the session
        self._longest_saving: float | None = None
        self._between = 0.0
        self._asked: float | None = None
        self._compiled = False
        self._is_over = False

    @property
    def is_set(self) -> bool:
        """Whether the session has an end."""
        return math.isfinite(self.end)

    @property
    def wants_a_saving(self) -> bool:
        """Whether the session has an end, and nothing says yet how long saving takes."""
        return self.is_set and self._longest_saving is None

    def reserve(self) -> float:
        """Return the seconds before the end at which a run must stop."""
        saving = self._longest_saving
        saving = self._unmeasured if saving is None else saving
        return self._margin + self._between + 1.5 * saving

    def __call__(self) -> bool:
        """Return whether it is time to save; once it is, it stays so."""
        if not self.is_set:
            return False
        now = self._clock()
        if self._asked is not None:
            # The first interval includes compiling. A long one is forgotten in time.
            if self._compiled:
                self._between = max(now - self._asked, 0.98 * self._between)
            self._compiled = True
        self._asked = now
        self._is_over = self._is_over or now + self.reserve() >= self.end
        return self._is_over

    def is_near(self) -> bool:
        """Return whether it is time to save, for other threads, whose questions do not count."""
        return self.is_set and self._clock() + self.reserve() >= self.end

    @contextlib.contextmanager
    def saving(self) -> Iterator[None]:
        """Measure the time that the run takes to save its state in this context."""
        began = self._clock()
        yield
        self._longest_saving = max(self._longest_saving or 0.0, self._clock() - began)
        self._asked = None


class StopSignal:
    """A context that notes SIGTERM, SIGHUP and SIGINT; a second signal raises `Ended`.

    Args:
      session: has the time at which the run must end as well; None is no limit.

    Attributes:
      number: the signal that this process has received, or None.
      doing: what the process does after the first signal, for the answer to it.
      deadline: the end of the session.
    """

    def __init__(self, session: Session | None = None) -> None:
        self.number: int | None = None
        self.doing = "saving what is done"
        self._noted = 0.0
        self.deadline = Deadline(session or Session())
        self._entered = contextlib.ExitStack()

    def __call__(self) -> bool:
        """Return whether a signal was received, or the session's time is over."""
        return self.number is not None or self.deadline()

    def raise_if_set(self) -> None:
        """Raise `Stopped` if a signal was received, or the session's time is over."""
        if self():
            raise Stopped(self.number)

    def raise_if_out_of_time(self) -> None:
        """Raise `Stopped` if the session's time is over, in work that a signal lets end."""
        if self.deadline():
            raise Stopped(self.number)

    def __enter__(self) -> StopSignal:
        for number in SIGNALS:
            if number not in ALSO_IF_IGNORED and signal.getsignal(number) == signal.SIG_IGN:
                continue  # `nohup` lets a process outlive its terminal.
            before: Any = signal.signal(number, self.note)
            self._entered.callback(signal.signal, number, before)
        self._entered.enter_context(answered(lambda: self.doing))
        return self

    def __exit__(self, *_: object) -> None:
        self._entered.close()

    def note(self, number: int, _: object = None) -> None:
        """Handle a signal."""
        now = time.monotonic()
        answered_signals.leave_terminal(number)
        if self.number is not None and now - self._noted >= answered_signals.SAME_PRESS:
            raise answered_signals.Ended(number)
        if self.number is None:
            self.number, self._noted = number, now


class StopVote:
    """A vote that stops every worker after the same step.

    Signals reach the workers at different steps, and a worker that stopped alone would make the
    next step of the others fail.

    Args:
      received: what this process has received.
      any_worker: returns whether any worker's flag is set; every worker must call it.

    Attributes:
      stopped: why the run ends, or None while the workers continue.
    """

    def __init__(self, received: StopSignal, any_worker: Callable[[bool], bool]):
        self.received, self.any_worker = received, any_worker
        self.stopped: Stopped | None = None

    def __call__(self) -> bool:
        """Return whether the run stops here; every worker must ask after the same steps."""
        if self.stopped is None and self.any_worker(self.received()):
            self.stopped = Stopped(self._number())
        return self.stopped is not None

    def will_save(self, step: int) -> None:
        """Note after which step the run saves, if a signal comes from now on."""
        self.received.doing = f"saving step {step:,}"

    def raise_if_set(self) -> None:
        """Raise `Stopped` if the run stops here; every worker must ask after the same steps."""
        if self():
            assert self.stopped is not None
            raise self.stopped

    def _number(self) -> int | None:
        """Return the signal that any worker has received, or None if the time is over for one."""
        number = self.received.number
        return (number or signal.SIGTERM) if self.any_worker(number is not None) else None
