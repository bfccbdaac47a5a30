"""Commands in processes that are killed, each a fork of one that has imported TensorFlow.

A kill is the same for a fork as for a process of its own. The import, which takes longer than the
tiny jobs here, is done once.
"""

from __future__ import annotations

import yt8m.process.quiet  # noqa: F401

import faulthandler
import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Callable, NamedTuple

from tests.support.file_seam import Seam
from yt8m import cli

_LIMIT = 900.0  # seconds after which a process hangs


class Kill(NamedTuple):
    """When a process is to be killed; nowhere by default.

    Attributes:
      after: seconds after its start.
      at_call: the number of the call that changes a file before which it dies, from 1.
      strike: kills another process instead, after those seconds; returns whether it did.
      victim: what `strike` kills.
    """

    after: float = 0.0
    at_call: int = 0
    strike: Callable[[], bool] | None = None
    victim: str = ""

    def said(self) -> dict[str, object]:
        """Return what the results say about the kill."""
        when = {"call": self.at_call} if self.at_call else {"seconds": round(self.after, 3)}
        return {**when, "victim": self.victim} if self.victim else when


NO_KILL = Kill()


class Ended(NamedTuple):
    """How a process ended.

    Attributes:
      code: its exit code; -9 after a kill.
      seconds: its duration.
      calls: how many of its calls changed files; 0 if it was killed.
      struck: whether it or its victim was killed.
    """

    code: int
    seconds: float
    calls: int
    struck: bool


def import_commands() -> None:
    """Import what the processes need, so that they start with it."""
    for module, _ in cli.COMMANDS.values():
        if module.startswith("yt8m.commands."):
            importlib.import_module(module)
    for name in ("training.trainer", "largescale.alternating.trainer", "evaluation.evaluate_run"):
        importlib.import_module(f"yt8m.{name}")


def run(
    arguments: Sequence[str], folder: str, log: str, kill: Kill = NO_KILL, prepare: Callable = bool
) -> Ended:
    """Run a command of `yt8m` in a process of its own, and kill it if it is to be killed.

    Args:
      arguments: the command's name and flags.
      folder: calls that change files below it are counted.
      log: file to which the process's output is appended.
      kill: when it is to be killed.
      prepare: called in the process before the command.
    """
    sys.stdout.flush()
    reader, writer = os.pipe()
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _be(arguments, folder, log, kill, prepare, writer)
    os.close(writer)
    if kill.strike is not None and _wait_until(pid, began + kill.after):
        struck = kill.strike()
        code = _wait(pid, began, 0.0)
    else:
        code = _wait(pid, began, kill.after)
        struck = code == -signal.SIGKILL
    with os.fdopen(reader) as sent:
        calls = sent.read()
    return Ended(code, time.monotonic() - began, int(calls or 0), struck)


def call(do: Callable[[], object]) -> int:
    """Do something in a process of its own, and return its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            do()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return _wait(pid, time.monotonic(), 0.0)


def _be(
    arguments: Sequence[str], folder: str, log: str, kill: Kill, prepare: Callable, writer: int
) -> None:
    """Be the process."""
    code = 1
    try:
        os.setsid()
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.stdout = os.fdopen(1, "w", buffering=1)
        sys.stderr = os.fdopen(2, "w", buffering=1)
        faulthandler.enable()
        print(f"--- {' '.join(arguments)}  {kill}")
        prepare()
        with Seam(folder, kill.at_call, _die) as seam:
            code = cli.call(arguments[0], arguments[1:])
        os.write(writer, str(len(seam.calls)).encode())
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)  # the signal may come to another thread first


def _wait_until(pid: int, moment: float) -> bool:
    """Wait for a moment, and return whether the process still runs then."""
    while time.monotonic() < moment:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return False
        time.sleep(0.01)
    return True


def _wait(pid: int, began: float, after: float) -> int:
    """Return the exit code of a process, which is killed after some seconds, or if it hangs."""
    end = began + (after or _LIMIT)
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= end:
            _kill(pid)
            _, status = os.waitpid(pid, 0)
            return os.waitstatus_to_exitcode(status) if after else 124
        time.sleep(0.005)


def _kill(pid: int) -> None:
    """Kill a process and what it has started."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:  # it has not come to lead a group yet
        os.kill(pid, signal.SIGKILL)
