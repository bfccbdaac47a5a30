"""A script as a child process: its output shown and kept, its time and peak memory measured, its signals passed on."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from typing import Any, Callable, Sequence


@dataclasses.dataclass(frozen=True)
class Finished:
    """How a process ended: exit code, seconds by the clock, largest resident memory in bytes, seconds of processor time (0: not known).

    Processor time is what can be compared where a machine did other things besides.
    """

    code: int
    seconds: float
    peak_bytes: int
    cpu_seconds: float = 0.0


def run(command: Sequence[str], cwd: str, log: str, say: Callable[[str], None] = print) -> Finished:
    """Run `command` in `cwd`, with every line shown and appended to the file `log`.

    SIGTERM and SIGINT go to the process too, which may save what it has; this returns when it has ended.
    """
    os.makedirs(os.path.dirname(log), exist_ok=True)
    start = time.monotonic()
    with open(log, "a", encoding="utf-8") as kept:
        child = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")

        def forward(number: int, _: Any) -> None:
            if child.returncode is None:
                child.send_signal(number)

        previous = {}
        try:
            # A terminal's Ctrl-C reaches the child by itself: here it must only not end the parent.
            previous = {signal.SIGTERM: signal.signal(signal.SIGTERM, forward), signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None)}
        except ValueError:
            pass  # not the main thread: whoever is handles signals
        try:
            for line in child.stdout:
                kept.write(line)
                kept.flush()
                say(line.rstrip("\n"))
            code, peak, cpu = _wait(child)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
    return Finished(code, time.monotonic() - start, peak, cpu)


def _wait(child: subprocess.Popen) -> "tuple[int, int, float]":
    if not hasattr(os, "wait4"):
        return child.wait(), 0, 0.0
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return child.returncode, peak, usage.ru_utime + usage.ru_stime
