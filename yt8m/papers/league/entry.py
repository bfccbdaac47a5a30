"""One entry of the league: a model trained by its default recipe with one seed, and measured.

A run that its time limit ended is measured as it is. With a larger limit the same run goes on.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import os
import shutil
from typing import Any

from yt8m.papers.commands import Step
from yt8m.papers.league.contests import Contest
from yt8m.papers.league.steps import Ended, Ledger, execute
from yt8m.papers.one_run import OutDir, State, facts_of_training, rounded_metrics
from yt8m.papers.results import Result, commit, read_json
from yt8m.papers.small_data import DataSet
from yt8m.runs.provenance import Provenance

_READING_MINUTES = 30.0  # an evaluation or a prediction that takes longer is ended


def fingerprints(data: DataSet) -> dict[str, Any]:
    """Return the fingerprints of the records of both splits."""
    from yt8m.data.files.shards import find_shards, fingerprint

    patterns = {"train": data.train, "validate": next(iter(data.validate.values()))}
    return {split: fingerprint(find_shards(pattern)) for split, pattern in patterns.items()}


def defaults_of(model: str) -> str:
    """Return a hash of a model's recipe and default arguments: a result holds for these."""
    from yt8m.models.core import registry
    from yt8m.models.core.arguments import default_arguments

    cls = registry.model_class(model)
    recipe = dataclasses.asdict(cls.recipe)
    arguments = {**default_arguments(cls), **cls.recipe_arguments}
    text = repr((sorted(recipe.items()), sorted(arguments.items())))
    return hashlib.sha1(text.encode()).hexdigest()[:12]


class Entry:
    """A model on a contest's data set with one seed.

    Args:
      out: folder that runs are in; the league's are in `league/` inside.
      contest: the contest.
      data: its data set.
      model: name of the model.
      seed: --seed of train.py.
      ledger: counts the time that commands take.
    """

    def __init__(
        self,
        out: OutDir,
        contest: Contest,
        data: DataSet,
        model: str,
        seed: int,
        ledger: Ledger,
    ):
        self.out, self.contest, self.data, self.model, self.seed = out, contest, data, model, seed
        self.ledger = ledger
        self.folder = os.path.join(out.path, "league", contest.name, f"{model}-seed{seed}")
        self.title = f"{model} on {contest.name}, seed {seed}"
        self.train_dir = os.path.join(self.folder, "model")

    @property
    def state(self) -> State:
        """The state of the entry's commands, as its file has it at present."""
        return State(os.path.join(self.folder, "state.json"))

    def run(self, minutes: float) -> Result:
        """Train until the recipe or the limit ends the run, evaluate, and return the result.

        Args:
          minutes: limit of the training, over all of its sessions.

        Raises:
          Stopped: a signal stopped a command; the same call resumes the run.
        """
        self._delete_if_changed()
        self.out.say(f"== {self.title}, at most {minutes:g} min")
        train = self._train_step()
        trained = self._train(train, minutes)
        evaluation = self._evaluation_step()
        evaluated = Ended()
        if not trained.failure:
            evaluated = self.measure(evaluation)
        failure = trained.failure or evaluated.failure
        result = self._facts([train, evaluation], minutes)
        if failure:
            self.out.say(f"FAILED {self.title}: {failure}")
            return {**result, "failed": failure}
        result.update(self._measured(trained))
        m, how = (
            result["metrics"],
            f", stopped after {minutes:g} min" if trained.out_of_time else "",
        )
        self.out.say(f"== {self.title}: MAP {m['map']:.4f}  GAP {m['gap']:.4f}{how}")
        return result

    def measure(self, step: Step) -> Ended:
        """Run a command that reads the model, unless it was run with this same model.

        Raises:
          Stopped: a signal stopped the command.
        """
        made_from = f"step {self._position().get('step')}"
        limit = 60.0 * _READING_MINUTES
        return execute(
            self.out, self.state, step, self.folder, self.ledger, limit=limit, made_from=made_from
        )

    def has_model(self) -> bool:
        """Return whether the trained model is still there."""
        return bool(self._position())

    def delete(self) -> None:
        """Delete the run's folder, whose checkpoints may be large."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _delete_if_changed(self) -> None:
        """Delete an earlier run by other defaults or on other records."""
        now = {"defaults": defaults_of(self.model), "records": fingerprints(self.data)}
        made = Provenance(os.path.join(self.folder, "made_from.json"), now)
        if made.changed():
            self.out.say(f"deleting {self.folder}: its {', '.join(made.changed())} have changed")
            self.delete()
            made.before = None
        made.record()

    def _train_step(self) -> Step:
        arguments = (
            "train.py",
            f"--model={self.model}",
            *self.data.flags,
            f"--train_data_pattern={self.data.train}",
            f"--train_dir={self.train_dir}",
            f"--seed={self.seed}",
        )
        return Step("train", "train", arguments, self.train_dir)

    def _evaluation_step(self) -> Step:
        output = os.path.join(self.folder, "eval")
        arguments = (
            "eval.py",
            f"--train_dir={self.train_dir}",
            f"--eval_data_pattern={self.data.validation()}",
            f"--output_dir={output}",
            f"--top_k={self.contest.top_k}",
        )
        return Step("eval", "eval", arguments, output)

    def _train(self, step: Step, minutes: float) -> Ended:
        left = minutes - self.state.get("train", "seconds") / 60.0
        if left <= 0 and self._position():
            done = self.state.is_done(step.name, self.out.recorded(step))
            return Ended(out_of_time=not done)
        # A session ends a little before its limit. If it does not, it hangs.
        left = max(left, 0.1)
        session = (f"--max_minutes={left:.3g}",)
        limit = 60.0 * (2 * left + 5)
        ended = execute(self.out, self.state, step, self.folder, self.ledger, session, limit)
        if ended.out_of_time and not self._position():
            return Ended(failure=f"it saved no model within {minutes:g} min")
        return ended

    def _position(self) -> dict[str, Any]:
        """Return the step and the epoch of the saved model, or nothing if there is none."""
        path = os.path.join(self.train_dir, "last", "metrics.json")
        return read_json(path) if os.path.isfile(path) else {}

    def _facts(self, steps: list[Step], minutes: float) -> Result:
        state = self.state
        return {
            "contest": self.contest.name,
            "model": self.model,
            "seed": self.seed,
            "data": {
                "name": self.data.name,
                "about": self.data.about,
                **fingerprints(self.data),
            },
            "defaults": defaults_of(self.model),
            "limit_minutes": minutes,
            "seconds": round(state.get("train", "seconds"), 1),
            "cpu_seconds": round(state.get("train", "cpu_seconds"), 1),
            "eval_seconds": round(state.get("eval", "seconds"), 1),
            "peak_bytes": int(state.get("train", "peak_bytes")),
            "commands": [self.out.recorded(step) for step in steps],
            "commit": commit(),
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        }

    def _measured(self, trained: Ended) -> Result:
        at = self._position()
        return {
            **facts_of_training(self.train_dir),
            **_machine_of(self.train_dir),
            "parameters": parameters(os.path.join(self.train_dir, "last", "model.weights.h5")),
            "stopped": trained.out_of_time,
            "step": at.get("step"),
            "steps_of_run": at.get("steps_of_run"),
            "metrics": rounded_metrics(read_json(os.path.join(self.folder, "eval/metrics.json"))),
        }


def _machine_of(train_dir: str) -> Result:
    """Return the type that a run computed in, and the threads and devices that it had."""
    from yt8m.runs.folder import RunFolder

    config = RunFolder(train_dir).load_config()
    devices = config.facts.get("devices", {})
    return {"dtype": config.training.dtype, "devices": devices}


def parameters(path: str) -> int:
    """Return the number of values in a weight file: trained weights and moving statistics."""
    import h5py

    total = 0

    def add(name: str, item: Any) -> None:
        nonlocal total
        # States of random generators and the run's own JSON are in the file too.
        if isinstance(item, h5py.Dataset) and item.dtype.kind == "f":
            total += int(item.size)

    with h5py.File(path, "r") as file:
        file.visititems(add)
    return total
