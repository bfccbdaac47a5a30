"""The story of a run: make the data, run what it needs first, train, evaluate, write the result; each done once."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import os
import re
import shutil
import statistics
import sys
import time
from typing import Any, Callable

from yt8m.errors import UserError
from yt8m.papers import commands, process
from yt8m.papers.paper_row import METRICS, PaperRow, find
from yt8m.papers.results import RESULT, ROOT, Result, commit, read_json, write_json
from yt8m.papers.small_data import DataSet, Sizes, make
from yt8m.runs.provenance import Provenance


class Failed(Exception):
    """A script of a recipe ended with a code that is not 0; `code` is what it was."""

    def __init__(self, message: str, code: int):
        super().__init__(message)
        self.code = code


class Runner:
    """Runs recipes under one folder.

    Args:
      recipes: all of them, by name.
      out_dir: gets a folder a run, and `data/`.
      sample_dir: see `yt8m.papers.small_data.make`.
      sizes: of the data sets.
      say: prints.

    Raises:
      UserError: this is not a checkout with the root scripts.
    """

    def __init__(
        self,
        recipes: dict[str, PaperRow],
        out_dir: str,
        sample_dir: str = "",
        sizes: Sizes = Sizes(),
        say: Callable[[str], None] = lambda text: print(text, flush=True),
    ):
        lacking = [
            s
            for s in ("train.py", "eval.py", "inference.py", "fusion.py")
            if not os.path.isfile(os.path.join(ROOT, s))
        ]
        if lacking:
            raise UserError(
                f"recipes run the root scripts, but {ROOT} has no {', '.join(lacking)}: run them from a checkout of the"
                " project, not from an installed package."
            )
        self.recipes, self.say, self.sizes = recipes, say, sizes
        # Relative to the checkout where it can be, so that recorded commands name no machine's folders.
        out_dir = os.path.abspath(out_dir)
        self.out_dir = (
            os.path.relpath(out_dir, ROOT) if out_dir.startswith(ROOT + os.sep) else out_dir
        )
        self.sample_dir = sample_dir

    def run(
        self,
        name: str,
        variant: str = "small",
        data_name: str = "",
        seed: int = 0,
        again: bool = False,
    ) -> Result:
        """Run a recipe on one data set, or return its result if it has been run.

        Raises:
          UserError: it was run with other settings (`again` runs it anew), or it names no data.
          Failed: a script failed.
        """
        recipe = find(name, self.recipes)
        if not data_name:
            if variant == "paper":
                raise UserError(
                    "--variant=paper needs --data=FOLDER, with train*.tfrecord and validate*.tfrecord of the release."
                )
            data_name = recipe.small.data[0]
        data = self._make(data_name, recipe.variant(variant).level)
        folder = commands.folder_of(self.out_dir, name, variant, data.name, seed)
        if again:
            self._delete(folder)
        what = f"{name} ({variant}) on {data.name}, seed {seed}"
        if variant == "paper":
            # A folder's own splits are taken: who has those of the release need not have the paper's.
            own = " or ".join(data.validate.values())
            self.say(
                f"{what}: {data.train} to train on, {own} to evaluate on. The paper had: {', '.join(recipe.paper.data)}"
            )
        if recipe.variant(variant).fuse:
            from yt8m.papers.fused import run_fused

            return run_fused(self, recipe, variant, data_name, data, seed, folder)
        used = {n: self.run(n, variant, data_name, seed) for n in commands.needed(recipe, variant)}
        places = {
            n: commands.trained_folder(
                self.recipes[n],
                variant,
                commands.folder_of(self.out_dir, n, variant, data.name, seed),
            )
            for n in used
        }
        steps = commands.steps(recipe, variant, data, seed, folder, places.__getitem__)
        done = self.finished(folder, steps, what, used)
        if done:
            return done
        self.say(
            f"== {what}: about {recipe.small.minutes:g} min" if variant == "small" else f"== {what}"
        )
        state = _State(self._at(folder, "state.json"))
        for step in steps:
            self.execute(state, step, folder)
        result = {
            **self.about(recipe, variant, data, seed, steps, state),
            **_of_training(self._at(commands.trained_folder(recipe, variant, folder))),
            "metrics": _metrics(read_json(self._at(folder, "eval", "metrics.json"))),
        }
        return self.finish(folder, result)

    def _make(self, name: str, level: str) -> DataSet:
        name = os.path.abspath(name) if os.path.isdir(name) else name
        sample_dir = (
            os.path.abspath(self.sample_dir)
            if self.sample_dir and "://" not in self.sample_dir
            else self.sample_dir
        )
        previous = os.getcwd()
        os.chdir(ROOT)  # where the scripts will run
        try:
            return make(
                name, os.path.join(self.out_dir, "data"), sample_dir, self.sizes, self.say, level
            )
        finally:
            os.chdir(previous)

    def _delete(self, folder: str) -> None:
        path = self._at(folder)
        if os.path.isfile(os.path.join(path, "state.json")):
            self.say(f"deleting {folder}")
            shutil.rmtree(path)

    def shown(self, step: commands.Step) -> str:
        """Return a step's command as results keep it: wherever `out_dir` lies, they tell the usual place and compare equal."""
        ours = re.compile(r"(?<![\w./-])" + re.escape(self.out_dir + os.sep))
        return dataclasses.replace(
            step, arguments=tuple(ours.sub(commands.USUAL_PLACE + "/", a) for a in step.arguments)
        ).shown()

    def _at(self, *names: str) -> str:
        return os.path.join(ROOT, *names)

    def finished(
        self, folder: str, wanted: list[commands.Step], what: str, used: dict[str, Result]
    ) -> Result | None:
        """Return the result in `folder` if the same commands gave it from the same runs `used`, None if there is none."""
        self._see_that_inputs_are_the_same(folder, what, used)
        path = self._at(folder, RESULT)
        if not os.path.isfile(path):
            return None
        result = read_json(path)
        if result["commands"] != [self.shown(s) for s in wanted]:
            raise UserError(
                f"{folder} holds a run of {what} with other settings; --again runs it anew, --out_dir names another place."
            )
        self.say(f"== {what}: done before, GAP {result['metrics']['gap']:.4f}")
        return result

    def _see_that_inputs_are_the_same(
        self, folder: str, what: str, used: dict[str, Result]
    ) -> None:
        """Refuse a run that began with other runs of what it is made from: its commands, folders all, are the same."""
        digests = {
            name: hashlib.sha1(json.dumps([r["commands"], r["metrics"]]).encode()).hexdigest()
            for name, r in used.items()
        }
        made = Provenance(self._at(folder, "made_from.json"), digests)
        has_begun = os.path.isfile(self._at(folder, "state.json"))
        changed = made.changed(unknown_is_same=True)
        if has_begun and changed:
            raise UserError(
                f"{folder} holds a run of {what} that was made from an earlier run of {', '.join(changed)}; --again runs it anew,"
                " --out_dir names another place."
            )
        if digests:
            made.record()

    def execute(self, state: _State, step: commands.Step, folder: str) -> None:
        """Run one command unless `state` says that it was done; its time and memory go into `state`."""
        shown = self.shown(step)
        if state.done(step.name, shown):
            return
        self.say("$ " + step.shown())
        log = self._at(folder, f"{step.name}.log")
        state.begin(step.name, shown, log)
        ended = process.run([sys.executable, *step.arguments], ROOT, log, self.say)
        state.add(step.name, shown, ended)
        if (
            ended.stopped
        ):  # whatever the script made of it: else a run-all would go on with the next
            raise Failed(
                f"stopped during {step.arguments[0]}; the same command goes on", 128 + ended.stopped
            )
        if ended.code:
            raise Failed(
                f"{step.arguments[0]} ended with exit code {ended.code}; its output is in {log}",
                ended.code,
            )

    def about(
        self,
        recipe: PaperRow,
        variant: str,
        data: DataSet,
        seed: int,
        wanted: list[commands.Step],
        state: _State,
    ) -> Result:
        """Return what every result says beside its metrics."""
        from yt8m.data.files.shards import find_shards, fingerprint

        def known(pattern: str) -> dict[str, Any]:
            return fingerprint(find_shards(",".join(self._at(p) for p in pattern.split(","))))

        worked = [s.name for s in wanted if s.name != "eval"]
        return {
            "recipe": recipe.name,
            "table": recipe.table,
            "row": recipe.row,
            "variant": variant,
            "data": {
                "name": data.name,
                "about": data.about,
                "train": known(data.train),
                "validate": known(next(iter(data.validate.values()))),
            },
            "seed": seed,
            "reported": recipe.reported,
            "seconds": round(sum(state.of(n, "seconds") for n in worked), 1),
            "cpu_seconds": 0.0
            if any(state.of(n, "cpu_lost") for n in worked)
            else round(sum(state.of(n, "cpu_seconds") for n in worked), 1),
            "eval_seconds": round(state.of("eval", "seconds"), 1),
            "peak_bytes": int(max(state.of(n, "peak_bytes") for n in worked)),
            "commands": [self.shown(s) for s in wanted],
            "commit": commit(),
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        }

    def finish(self, folder: str, result: Result) -> Result:
        """Write the result, and return it."""
        write_json(self._at(folder, RESULT), result)
        m = result["metrics"]
        self.say(
            f"== {result['recipe']}: GAP {m['gap']:.4f}  MAP {m['map']:.4f}  Hit@1 {m['hit_at_1']:.4f}  in {result['seconds'] / 60:.1f} min"
        )
        return result


class _State:
    """What of a run has been done: step -> command, seconds and processor seconds over all attempts, largest memory, whether it ended well."""

    def __init__(self, path: str):
        self._path = path
        self._steps: dict[str, dict[str, Any]] = read_json(path) if os.path.isfile(path) else {}

    def done(self, name: str, command: str) -> bool:
        step = self._steps.get(name, {})
        return bool(step.get("done")) and step.get("command") == command

    def begin(self, name: str, command: str, log: str) -> None:
        """Put down that an attempt begins. One that was begun and not ended, for this process was killed, lasted till its log's last line."""
        step = self._steps.get(name, {})
        if step.get("command") != command or step.get("done"):
            step = {"seconds": 0.0, "cpu_seconds": 0.0, "peak_bytes": 0}
        if "began" in step:
            last = os.path.getmtime(log) if os.path.isfile(log) else 0.0
            step["seconds"] += max(0.0, last - step["began"])
            step["cpu_lost"] = True  # nobody measured it, so that the whole is not known either
        self._steps[name] = {**step, "command": command, "began": time.time(), "done": False}
        write_json(self._path, self._steps)

    def add(self, name: str, command: str, ended: process.Finished) -> None:
        """Put down how the attempt ended that `begin` put down."""
        step = {k: v for k, v in self._steps[name].items() if k != "began"}
        self._steps[name] = {
            **step,
            "seconds": step["seconds"] + ended.seconds,
            "cpu_seconds": step["cpu_seconds"] + ended.cpu_seconds,
            "peak_bytes": max(step["peak_bytes"], ended.peak_bytes),
            "done": ended.code == 0,
        }
        write_json(self._path, self._steps)

    def of(self, name: str, key: str) -> float:
        return self._steps.get(name, {}).get(key, 0)


def _metrics(values: dict[str, Any]) -> dict[str, Any]:
    wanted = (*METRICS, "loss", "num_examples", "num_classes_with_positives")
    known = {k: values[k] for k in wanted if values.get(k) is not None}  # a fusion has no loss
    return {k: int(v) if k.startswith("num_") else round(float(v), 6) for k, v in known.items()}


def _of_training(train_dir: str) -> dict[str, Any]:
    """Return versions and the speed of a trained run: the median of what was logged, or that of all groups one after another."""
    from yt8m.runs.folder import RunFolder

    run = RunFolder(train_dir)
    facts = run.load_config().facts
    speeds: dict[str, list[float]] = {"train": [], "group": []}
    for event in run.logged():
        if event.get("event") in speeds and event.get("examples_per_second"):
            speeds[event["event"]].append(event["examples_per_second"])
    speed = 1.0 / sum(1.0 / s for s in speeds["group"]) if speeds["group"] else None
    if speed is None and speeds["train"]:
        speed = statistics.median(speeds["train"])
    return {
        "examples_per_second": round(speed, 1) if speed else None,
        "versions": {
            k: facts[k] for k in ("yt8m", "python", "tensorflow", "keras", "numpy") if k in facts
        },
    }
