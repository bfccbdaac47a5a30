"""A command run as a child process, which is measured, logged, and never left running."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from yt8m.process import answered_signals


@dataclasses.dataclass(frozen=True)
class Finished:
    """How a child process ended.

    Attributes:
      code: exit code; 128 + n if signal n ended the process, as in a shell.
      seconds: seconds by the clock.
      peak_bytes: largest resident memory in bytes; 0 if it is not known.
      cpu_seconds: seconds of processor time, comparable on a machine that did other work as well;
        0 if it is not known.
      stopped: the signal that this process received meanwhile; 0 if there was none. The child may
        have succeeded all the same.
    """

    code: int
    seconds: float
    peak_bytes: int
    cpu_seconds: float = 0.0
    stopped: int = 0


def run(
    command: Sequence[str],
    log: str = "",
    say: Callable[[str], None] | None = None,
    limit: float = 0.0,
) -> Finished:
    """Run `command` in the current folder and wait until it ends.

    SIGTERM is passed on to the child, which may save its state; a terminal sends Ctrl-C to both.
    If `say` fails, as it does on a closed pipe, the child is ended too.

    Args:
      command: program and arguments.
      log: file that every line of the output is appended to.
      say: shows a line of the output. Without `log` and `say` the child inherits this process's
        output.
      limit: seconds after which the child is killed, which gives it exit code 137; 0: none.
    """
    start = time.monotonic()
    signals = _Signals()
    with answered_signals.left_to_others(), signals.noted(), _opened(log) as kept:
        shown = log or say
        child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE if shown else None,
            stderr=subprocess.STDOUT if shown else None,
            text=True,
            errors="replace",
        )
        timer = threading.Timer(limit, child.kill)
        if limit:
            timer.start()
        try:
            signals.watch(child)
            for line in child.stdout or ():
                if kept:
                    kept.write(line)
                    kept.flush()
                if say:
                    say(line.rstrip("\n"))
            code, peak, cpu = _wait(child)
        except BaseException:
            child.terminate()
            child.wait()
            raise
        finally:
            timer.cancel()
    seconds = time.monotonic() - start
    return Finished(code if code >= 0 else 128 - code, seconds, peak, cpu, signals.stopped)


class _Signals:
    """Records SIGTERM and SIGINT in `stopped`, and passes SIGTERM on to the child."""

    def __init__(self) -> None:
        self.stopped = 0
        self._child: subprocess.Popen[str] | None = None

    def watch(self, child: subprocess.Popen[str]) -> None:
        """Pass SIGTERM on to `child`, including one received while it was starting."""
        self._child = child
        if self.stopped == signal.SIGTERM:
            child.terminate()

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Handle both signals within this context."""
        previous: dict[int, Any] = {}
        try:
            with contextlib.suppress(ValueError):  # not the main thread, which handles signals
                for handled in (signal.SIGTERM, signal.SIGINT):
                    previous[handled] = signal.signal(handled, self._note)
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _note(self, number: int, _: Any) -> None:
        self.stopped = int(number)
        if number == signal.SIGTERM and self._child and self._child.returncode is None:
            self._child.send_signal(number)


@contextlib.contextmanager
def _opened(log: str) -> Iterator[Any]:
    if not log:
        yield None
        return
    os.makedirs(os.path.dirname(log) or ".", exist_ok=True)
    with open(log, "a", encoding="utf-8") as file:
        yield file


def _wait(child: subprocess.Popen[str]) -> tuple[int, int, float]:
    """Return the child's exit code, its largest memory in bytes and its processor seconds."""
    if not hasattr(os, "wait4"):
        return child.wait(), 0, 0.0
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return child.returncode, peak, usage.ru_utime + usage.ru_stime
