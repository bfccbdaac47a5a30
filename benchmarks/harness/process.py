"""Run a process, and measure the seconds, processor seconds and memory of it and its children."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

from benchmarks.harness.benchmark import Command


class ProcessFailed(Exception):
    """A process ended with an error; the message has the end of its output."""


@dataclasses.dataclass(frozen=True)
class Finished:
    """A process that has ended.

    Attributes:
      output: what it printed, both streams together.
      values: `wall_seconds`, `processor_seconds`, `peak_gb`, and `other_cores`, the cores that the
        rest of the machine kept busy meanwhile.
    """

    output: str
    values: dict[str, float]


def run(command: Command, log: Path, limit: float = 0.0) -> Finished:
    """Run a command to its end.

    Args:
      command: what to run.
      log: a file for its output.
      limit: seconds after which it is killed; 0 waits as long as it takes.

    Raises:
      ProcessFailed: it ended with another code than 0, or was killed after the limit.
    """
    changed = {**os.environ, **command.environment}
    environment = {name: value for name, value in changed.items() if value}
    busy, began = _busy_seconds(), time.perf_counter()
    with open(log, "wb") as stream:
        child = subprocess.Popen(
            [str(a) for a in command.arguments],
            cwd=command.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        alarm = threading.Timer(limit, os.kill, (child.pid, signal.SIGKILL))
        if limit:
            alarm.start()
        # Unlike `getrusage(RUSAGE_CHILDREN)`, the peak of this child and not of the largest so far.
        _, status, usage = os.wait4(child.pid, 0)
        alarm.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    used = usage.ru_utime + usage.ru_stime
    output = log.read_text(errors="replace")
    if child.returncode == -signal.SIGKILL and limit and wall >= limit:
        raise ProcessFailed(f"it took more than {limit:.0f} s")
    if child.returncode:
        tail = "\n".join(output.splitlines()[-15:])
        raise ProcessFailed(f"{' '.join(map(str, command.arguments))}\n{tail}")
    values = {
        "wall_seconds": wall,
        "processor_seconds": used,
        "peak_gb": usage.ru_maxrss * 1024 / 1e9,
        "other_cores": max(0.0, (_busy_seconds() - busy - used) / wall),
    }
    return Finished(output, values)


def _busy_seconds() -> float:
    """Return the processor seconds that all processes of this machine have used (Linux)."""
    with open("/proc/stat") as f:
        user, nice, system, _, _, irq, soft_irq = (int(x) for x in f.readline().split()[1:8])
    return (user + nice + system + irq + soft_irq) / os.sysconf("SC_CLK_TCK")
