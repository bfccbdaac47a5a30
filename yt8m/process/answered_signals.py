"""How SIGTERM, SIGHUP and Ctrl-C end a command: at once, with an answer, with nothing half-done.

Python calls a signal's handler between two of its own instructions, so that during a long call of
TensorFlow, such as the compilation of a model, nothing seems to happen. Python does write the
signal's number to a file at once, which a thread here reads and answers.

`ending` lets a signal raise an exception, so that whoever has opened a file removes it. Training
and prediction save what is done instead: see `yt8m.runs.stop_signal`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable

# It comes when a terminal or a connection closes; Windows has none.
_HANGUP = getattr(signal, "SIGHUP", None)
SIGNALS = (signal.SIGTERM, signal.SIGINT, *([_HANGUP] if _HANGUP else []))
INTERRUPTED = 130  # exit code of a command that was interrupted
# Seconds. A process may get one press of Ctrl-C twice: from its group and from its parent.
SAME_PRESS = 0.2
_PATIENCE = 5.0  # seconds that a call of TensorFlow may still take after the second signal
# Seconds that a call may take after the first signal of `ending`, in which nothing is saved: longer
# than a compilation, and not for ever, as a worker may wait for others that never come.
_LONGEST_CALL = 60.0
_END = b"\0"  # the number of no signal


class Ended(KeyboardInterrupt):
    """A signal ends the command.

    Attributes:
      number: the signal's.
    """

    def __init__(self, number: int):
        self.number = number
        super().__init__(f"ended by {signal.Signals(number).name}")


class _Ending:
    """Raises `Ended` for the first signal, as soon as nothing holds it back."""

    def __init__(self) -> None:
        self.holds, self.waiting, self._raised = 0, 0, False

    def note(self, number: int, _: object = None) -> None:
        """Handle a signal."""
        self.waiting = number
        leave_terminal(number)
        self.raise_if_waiting()

    def has_noted(self) -> bool:
        """Whether Python has handed a signal to this handler."""
        return bool(self.waiting)

    def raise_if_waiting(self) -> None:
        """Raise what was held back; a second signal must not disturb what removes files."""
        if self.waiting and not self.holds and not self._raised:
            self._raised = True
            raise Ended(self.waiting)


_endings: list[_Ending] = []


def leave_terminal(number: int) -> None:
    """Print nowhere after SIGHUP: the terminal is gone, and printing to it would raise an error."""
    if number != _HANGUP:
        return
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            if stat.S_ISCHR(os.fstat(descriptor).st_mode):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, descriptor)
                os.close(null)


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """Let the first of `SIGNALS` in this context raise `Ended` in the main thread.

    A signal that the process was started to ignore, as `nohup` and shells do, stays ignored. In
    other threads than the main one, and within another such context, nothing changes.
    """
    if _endings or threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = _Ending()
    with contextlib.ExitStack() as entered:
        for number in SIGNALS:
            before: Any = signal.getsignal(number)
            if before not in (signal.SIG_IGN, None):
                signal.signal(number, handler.note)
                entered.callback(signal.signal, number, before)
        entered.enter_context(answered(lambda: "ending", True, handler.has_noted))
        _endings.append(handler)
        entered.callback(_endings.remove, handler)
        yield


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Make a signal wait until the end of this context, which completes or removes an output."""
    if not _endings or threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = _endings[-1]
    handler.holds += 1
    try:
        yield
    finally:
        handler.holds -= 1
        handler.raise_if_waiting()


@contextlib.contextmanager
def left_to_others() -> Iterator[None]:
    """Answer no signal in this context, in which a child process does so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.set_wakeup_fd(-1)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before, warn_on_full_buffer=False)


@contextlib.contextmanager
def answered(
    doing: Callable[[], str],
    to_stderr: bool = False,
    noted: Callable[[], bool] | None = None,
) -> Iterator[None]:
    """Answer the first SIGTERM or SIGINT in this context at once, and end the process at a third.

    A second signal ends the process too, unless its handler, which has to raise an exception, ends
    this context within a few seconds. Only the main thread may enter this context.

    Args:
      doing: returns what the process does after the first signal, such as "saving step 7".
      to_stderr: whether the answers must not mix with the output.
      noted: returns whether the signal's handler was called. If it is not within a minute, the
        process ends at the first signal; None waits for ever.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)  # as Python demands
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    answers = _Answers(reader, doing, to_stderr, noted)
    answers.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before, warn_on_full_buffer=False)
        answers.over.set()
        os.write(writer, _END)
        answers.join()
        os.close(writer)
        os.close(reader)


class _Answers(threading.Thread):
    """Reads the numbers of signals from a file, and answers them.

    Attributes:
      over: set when the context has ended.
    """

    def __init__(
        self,
        reader: int,
        doing: Callable[[], str],
        to_stderr: bool,
        noted: Callable[[], bool] | None,
    ):
        super().__init__(name="answers to signals", daemon=True)
        self._to_stderr, self._noted, self._code = to_stderr, noted, INTERRUPTED
        self._reader, self._doing, self.over = reader, doing, threading.Event()

    def run(self) -> None:
        """Answer until the end of the context."""
        last, count = -SAME_PRESS, 0
        while (number := os.read(self._reader, 1)) not in (_END, b""):
            if number[0] not in SIGNALS or time.monotonic() - last < SAME_PRESS:
                continue
            last, count = time.monotonic(), count + 1
            self._code = 128 + number[0]
            if count == 1:
                again = "press again" if number[0] == signal.SIGINT else "signal again"
                self._say(f"{self._doing()}; {again} to abandon")
                if self._noted is not None:
                    threading.Thread(target=self._end_if_not_noted, daemon=True).start()
            elif count == 2:
                self._say("abandoned; what was saved before is kept")
                threading.Thread(target=self._end_if_stuck, daemon=True).start()
            else:
                os._exit(self._code)

    def _end_if_stuck(self) -> None:
        if not self.over.wait(_PATIENCE):
            os._exit(self._code)  # Files get their names when they are whole: none is left half.

    def _end_if_not_noted(self) -> None:
        if not self.over.wait(_LONGEST_CALL) and self._noted is not None and not self._noted():
            self._say("abandoned: a call of TensorFlow or of the system did not end")
            os._exit(self._code)

    def _say(self, text: str) -> None:
        print(f"\n{text}", file=sys.stderr if self._to_stderr else sys.stdout, flush=True)
