"""One run of a row in its folder: its progress, its commands, and its result.

`state.json` in the folder records which commands succeeded and their cost, `made_from.json` which
runs of other rows this run uses, and `result.json` its result.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import os
import re
import shutil
import signal
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from yt8m.errors import UserError
from yt8m.papers import commands
from yt8m.papers.commands import Step
from yt8m.papers.paper_row import METRICS, PaperRow, VariantName
from yt8m.papers.results import RESULT, Result, commit, read_json, write_json
from yt8m.papers.small_data import DataSet
from yt8m.process import child_process
from yt8m.runs.provenance import Provenance
from yt8m.runs.stop_signal import Stopped

_COMMANDS = {
    "train.py": "train",
    "eval.py": "eval",
    "inference.py": "predict",
    "fusion.py": "fuse",
}
_STOPPED_BY = {128 + number: number for number in (signal.SIGINT, signal.SIGTERM)}


class Failed(Exception):
    """A command of a run failed.

    Attributes:
      code: its exit code.
    """

    def __init__(self, message: str, code: int):
        super().__init__(message)
        self.code = code


@dataclasses.dataclass(frozen=True)
class OutDir:
    """The folder that runs are in.

    Attributes:
      path: the folder, relative to the current one where it is inside it, so that the commands of
        runs name no folders of this machine.
      say: prints a line.
    """

    path: str
    say: Callable[[str], None]

    def recorded(self, step: Step) -> str:
        """Return a command as results record it, with `runs/recipes` in place of `path`."""
        own = re.compile(r"(?<![\w./-])" + re.escape(self.path + os.sep))
        usual = tuple(own.sub(commands.USUAL_PLACE + "/", a) for a in step.arguments)
        return dataclasses.replace(step, arguments=usual).shown()

    def execute(self, state: State, step: Step, folder: str) -> None:
        """Run one command and record it in `state`, unless `state` has it as done.

        Args:
          state: state of the run that the command belongs to.
          step: the command.
          folder: folder of its log.

        Raises:
          Failed: the command ended with an error.
          Stopped: a signal stopped the command or this process.
        """
        command = self.recorded(step)
        if state.is_done(step.name, command):
            return
        step = as_measured(step)
        self.say("$ " + step.shown())
        log = os.path.join(folder, f"{step.name}.log")
        state.begin(step.name, command, log)
        ended = child_process.run(process_of(step), log, self.say)
        state.end(step.name, ended)
        # After a signal no other command must follow, even if this one ended well all the same.
        stopped = ended.stopped or _STOPPED_BY.get(ended.code)
        if stopped:
            raise Stopped(stopped)
        if ended.code:
            message = (
                f"{step.arguments[0]} ended with exit code {ended.code}; its output is in {log}"
            )
            raise Failed(message, ended.code)


def as_measured(step: Step) -> Step:
    """Return the command with the defaults named that held when the rows were measured.

    They are float32, and the constructor's defaults in place of a recipe's arguments.
    """
    if step.kind != "train":
        return step
    from yt8m.models.core import registry
    from yt8m.models.core.arguments import default_arguments

    defaults = ["--dtype=float32"]
    for model in (a.removeprefix("--model=") for a in step.arguments if a.startswith("--model=")):
        cls = registry.model_class(model)
        before = default_arguments(cls)
        defaults += [f"--model_option={name}={before[name]}" for name in cls.recipe_arguments]
    script, *flags = step.arguments
    arguments = (script, *commands.merged([*defaults, *flags]))
    return dataclasses.replace(step, arguments=arguments)


def process_of(step: Step) -> list[str]:
    """Return the process to start for a command; it needs only the package, no checkout."""
    script, *flags = step.arguments
    return [sys.executable, "-m", "yt8m", _COMMANDS[script], *flags]


class State:
    """Progress of a run: the command of each step, its cost, and whether it succeeded.

    Args:
      path: the JSON file that keeps it.
    """

    def __init__(self, path: str):
        self._path = path
        self._steps: dict[str, dict[str, Any]] = read_json(path) if os.path.isfile(path) else {}

    def is_done(self, name: str, command: str) -> bool:
        """Return whether this command of a step has succeeded."""
        step = self._steps.get(name, {})
        return bool(step.get("done")) and step.get("command") == command

    def begin(self, name: str, command: str, log: str) -> None:
        """Record that an attempt begins.

        An earlier attempt that has not ended was killed together with this process. It is assumed
        to have lasted until the last line of its log.
        """
        step = self._steps.get(name, {})
        if step.get("command") != command or step.get("done"):
            step = {"seconds": 0.0, "cpu_seconds": 0.0, "peak_bytes": 0}
        if "began" in step:
            last = os.path.getmtime(log) if os.path.isfile(log) else 0.0
            step["seconds"] += max(0.0, last - step["began"])
            step["cpu_lost"] = True  # it was not measured, so the total is not known either
        self._steps[name] = {**step, "command": command, "began": time.time(), "done": False}
        write_json(self._path, self._steps)

    def end(self, name: str, ended: child_process.Finished) -> None:
        """Record how the attempt that `begin` recorded ended."""
        step = self._steps[name]
        del step["began"]
        step["seconds"] += ended.seconds
        step["cpu_seconds"] += ended.cpu_seconds
        step["peak_bytes"] = max(step["peak_bytes"], ended.peak_bytes)
        step["done"] = ended.code == 0
        write_json(self._path, self._steps)

    def get(self, name: str, key: str) -> float:
        """Return a number of a step, summed over all attempts; 0 if it is unknown."""
        return self._steps.get(name, {}).get(key, 0)


class OneRun:
    """A run of a row's variant on one data set with one seed.

    Args:
      out: folder that runs are in.
      row: the row.
      variant: "small" or "paper".
      data: the data set.
      seed: --seed of train.py.
    """

    def __init__(self, out: OutDir, row: PaperRow, variant: VariantName, data: DataSet, seed: int):
        self.out, self.row, self.data, self.seed = out, row, data, seed
        self.variant: VariantName = variant
        self.folder = commands.run_folder(out.path, row.name, variant, data.name, seed)
        self.title = f"{row.name} ({variant}) on {data.name}, seed {seed}"

    @property
    def state(self) -> State:
        """The state of the run's own steps, as its file has it at present."""
        return State(self.path("state.json"))

    def path(self, name: str) -> str:
        """Return the path of a file in the run's folder."""
        return os.path.join(self.folder, name)

    def delete(self) -> None:
        """Delete the run's folder, if it contains a run."""
        if os.path.isfile(self.path("state.json")):
            self.out.say(f"deleting {self.folder}")
            shutil.rmtree(self.folder)

    def finished(self, steps: Sequence[Step], used: dict[str, Result]) -> Result | None:
        """Return the run's result if it is done, else None.

        Args:
          steps: the commands that the row has now.
          used: results of the runs that this one uses, by name.

        Raises:
          UserError: the folder contains a run with other commands, or one that used other runs.
        """
        self._check_used(used)
        if not os.path.isfile(self.path(RESULT)):
            return None
        result = read_json(self.path(RESULT))
        if result["commands"] != [self.out.recorded(s) for s in steps]:
            raise UserError(
                f"{self.folder} contains a run of {self.title} with other settings; repeat it with"
                " --again, or choose another folder with --out_dir."
            )
        self.out.say(f"== {self.title}: done before, GAP {result['metrics']['gap']:.4f}")
        return result

    def _check_used(self, used: dict[str, Result]) -> None:
        """Refuse a run that was begun with other inputs.

        Its commands do not show this: they only name the inputs' folders.
        """
        made = Provenance(self.path("made_from.json"), {n: _digest(r) for n, r in used.items()})
        changed = made.changed(unknown_is_same=True)
        if changed and os.path.isfile(self.path("state.json")):
            raise UserError(
                f"{self.folder} contains a run of {self.title} that was made from an earlier run of"
                f" {', '.join(changed)}; repeat it with --again, or choose another folder with"
                " --out_dir."
            )
        if used:
            made.record()

    def facts(self, steps: Sequence[Step], state: State) -> Result:
        """Return everything in a result besides its metrics."""
        row, data = self.row, self.data
        names = [s.name for s in steps if s.name != "eval"]

        splits = {"train": data.train, "validate": next(iter(data.validate.values()))}
        if data.test:
            splits["test"] = data.test

        def total(key: str) -> float:
            return round(sum(state.get(name, key) for name in names), 1)

        return {
            "recipe": row.name,
            "table": row.table,
            "row": row.row,
            "variant": self.variant,
            "data": {
                "name": data.name,
                "about": data.about,
                **{split: _fingerprint(records) for split, records in splits.items()},
            },
            "seed": self.seed,
            "reported": row.reported,
            "seconds": total("seconds"),
            "cpu_seconds": 0.0 if total("cpu_lost") else total("cpu_seconds"),
            "eval_seconds": round(state.get("eval", "seconds"), 1),
            "peak_bytes": int(max(state.get(name, "peak_bytes") for name in names)),
            "commands": [self.out.recorded(s) for s in steps],
            "commit": commit(),
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        }

    def finish(self, result: Result) -> Result:
        """Write the result and return it."""
        write_json(self.path(RESULT), result)
        m, minutes = result["metrics"], result["seconds"] / 60
        self.out.say(
            f"== {self.row.name}: GAP {m['gap']:.4f}  MAP {m['map']:.4f}"
            f"  Hit@1 {m['hit_at_1']:.4f}  in {minutes:.1f} min"
        )
        return result


def _digest(result: Result) -> str:
    return hashlib.sha1(json.dumps([result["commands"], result["metrics"]]).encode()).hexdigest()


def _fingerprint(pattern: str) -> dict[str, Any]:
    from yt8m.data.files.shards import find_shards, fingerprint

    return fingerprint(find_shards(pattern))


def rounded_metrics(values: dict[str, Any]) -> dict[str, Any]:
    """Return the metrics that results keep, rounded; a fusion has no loss."""
    wanted = (*METRICS, "loss", "num_examples", "num_classes_with_positives")
    known = {k: values[k] for k in wanted if values.get(k) is not None}
    return {k: int(v) if k.startswith("num_") else round(float(v), 6) for k, v in known.items()}


def facts_of_training(train_dir: str) -> dict[str, Any]:
    """Return the versions and the speed of a trained run.

    The speed is the median of what was logged, or that of all groups trained one after another.
    """
    from yt8m.runs.folder import RunFolder

    run = RunFolder(train_dir)
    facts = run.load_config().facts
    speeds: dict[str, list[float]] = {"train": [], "group": []}
    for event in run.logged():
        if event.get("event") in speeds and event.get("examples_per_second"):
            speeds[event["event"]].append(event["examples_per_second"])
    speed = None
    if speeds["group"]:
        speed = 1.0 / sum(1.0 / s for s in speeds["group"])
    elif speeds["train"]:
        speed = statistics.median(speeds["train"])
    versions = ("yt8m", "python", "tensorflow", "keras", "numpy")
    return {
        "examples_per_second": round(speed, 1) if speed else None,
        "versions": {k: facts[k] for k in versions if k in facts},
    }
