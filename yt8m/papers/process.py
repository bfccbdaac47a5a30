"""A script as a child process: its output shown and kept, its time and peak memory measured, its signals passed on."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, Callable


@dataclasses.dataclass(frozen=True)
class Finished:
    """How a process ended: exit code, seconds by the clock, largest resident memory in bytes, seconds of processor time (0: not known).

    Processor time is what can be compared where a machine did other things besides. A code of 128 + n
    is that of a process that signal n ended, as a shell tells it. `stopped` is the signal by which this
    process was asked to stop meanwhile, 0 if it was not.
    """

    code: int
    seconds: float
    peak_bytes: int
    cpu_seconds: float = 0.0
    stopped: int = 0


def run(command: Sequence[str], cwd: str, log: str, say: Callable[[str], None] = print) -> Finished:
    """Run `command` in `cwd`, with every line shown and appended to the file `log`.

    SIGTERM goes to the process too, which may save what it has, and so does a terminal's Ctrl-C; this
    returns when it has ended, and tells in `stopped` that it was asked to: the process may have ended
    well all the same. Where `say` fails, as into a closed pipe, the process is ended too.
    """
    os.makedirs(os.path.dirname(log), exist_ok=True)
    start = time.monotonic()
    with open(log, "a", encoding="utf-8") as kept:
        stopped, child = 0, None

        def forward(number: int, _: Any) -> None:
            nonlocal stopped
            stopped = number
            # A terminal's Ctrl-C reaches the child by itself: here it must only not end the parent.
            if number == signal.SIGTERM and child and child.returncode is None:
                child.send_signal(number)

        previous = {}
        try:
            previous = {
                number: signal.signal(number, forward) for number in (signal.SIGTERM, signal.SIGINT)
            }
        except ValueError:
            pass  # not the main thread: whoever is handles signals
        try:
            child = subprocess.Popen(
                command,
                cwd=cwd,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            if stopped == signal.SIGTERM:  # it came as the command began
                child.terminate()
            for line in child.stdout:
                kept.write(line)
                kept.flush()
                say(line.rstrip("\n"))
            code, peak, cpu = _wait(child)
        except BaseException:  # nobody would know of a process that goes on
            if child:
                child.terminate()
                child.wait()
            raise
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
    return Finished(code if code >= 0 else 128 - code, time.monotonic() - start, peak, cpu, stopped)


def _wait(child: subprocess.Popen) -> tuple[int, int, float]:
    if not hasattr(os, "wait4"):
        return child.wait(), 0, 0.0
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return child.returncode, peak, usage.ru_utime + usage.ru_stime
