"""One command of the league as a measured process, and the time that all of them have taken."""

from __future__ import annotations

import dataclasses
import os
import signal
import time

from yt8m.papers.commands import Step
from yt8m.papers.one_run import OutDir, State, process_of
from yt8m.papers.results import read_json, write_json
from yt8m.process import child_process
from yt8m.runs.stop_signal import OUT_OF_TIME, Stopped

_STOPPED_BY = {128 + number: number for number in (signal.SIGINT, signal.SIGTERM)}
_KILLED = 128 + int(signal.SIGKILL)


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
      out_of_time: whether --max_minutes ended its session.
      failure: why it failed, as text; "" if it did not.
    """

    out_of_time: bool = False
    failure: str = ""


class Ledger:
    """The time that all commands of the league have taken, over all sessions.

    Args:
      path: the JSON file that keeps it.
    """

    def __init__(self, path: str):
        self._path = path
        values = read_json(path) if os.path.isfile(path) else {}
        self.seconds: float = values.get("seconds", 0.0)
        if "began" in values and os.path.isfile(values["log"]):
            # The command was killed with its parent. It worked until the last line of its log.
            self.seconds += max(0.0, os.path.getmtime(values["log"]) - values["began"])

    def begin(self, log: str) -> None:
        """Record that a command begins, which appends its output to `log`."""
        write_json(self._path, {"seconds": self.seconds, "began": time.time(), "log": log})

    def end(self, seconds: float) -> None:
        """Record how long the command took."""
        self.seconds += seconds
        write_json(self._path, {"seconds": self.seconds})


def execute(
    out: OutDir,
    state: State,
    step: Step,
    folder: str,
    ledger: Ledger,
    more: tuple[str, ...] = (),
    limit: float = 0.0,
    made_from: str = "",
) -> Ended:
    """Run one command and record it in `state`, unless `state` has it as done.

    Args:
      out: folder that runs are in.
      state: state of the run that the command belongs to.
      step: the command.
      folder: folder of its log.
      ledger: counts the time that it takes.
      more: further flags, which do not identify the command.
      limit: seconds after which the process is killed; 0: none.
      made_from: what the command reads, as text; if it changes, the command is not done.

    Raises:
      Stopped: a signal stopped the command or this process.
    """
    command = out.recorded(step) + (f"  # {made_from}" if made_from else "")
    if state.is_done(step.name, command):
        return Ended()
    step = dataclasses.replace(step, arguments=(*step.arguments, *more))
    out.say("$ " + step.shown())
    log = os.path.join(folder, f"{step.name}.log")
    state.begin(step.name, command, log)
    ledger.begin(log)
    ended = child_process.run(process_of(step), log, out.say, limit)
    state.end(step.name, ended)
    ledger.end(ended.seconds)
    stopped = ended.stopped or _STOPPED_BY.get(ended.code)
    if stopped:
        raise Stopped(stopped)
    if ended.code in (0, OUT_OF_TIME):
        return Ended(out_of_time=ended.code == OUT_OF_TIME)
    return Ended(failure=_failure(step.arguments[0], ended, limit, log))


def _failure(script: str, ended: child_process.Finished, limit: float, log: str) -> str:
    if ended.code == _KILLED and limit and ended.seconds >= limit:
        return f"{script} did not end within {limit / 60:.0f} min"
    if ended.code == _KILLED:
        return f"{script} was killed by the system, which does that where memory runs out"
    return f"{script} ended with exit code {ended.code}: {_last_line(log)}"


def _last_line(log: str) -> str:
    """Return the last line that a command printed, without the folder it ran in."""
    lines = [""]
    if os.path.isfile(log):
        with open(log, encoding="utf-8", errors="replace") as file:
            lines += [line.strip() for line in file if line.strip()]
    last = lines[-1].replace(os.getcwd() + os.sep, "")
    return last if len(last) <= 200 else last[:199] + "…"
