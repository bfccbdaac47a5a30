"""Where an alternation is, kept in `alternation/state.json`, and its log: one line an iteration in `metrics.jsonl`."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any

import tensorflow as tf

from yt8m.largescale.alternating.plan import Done, Step
from yt8m.runs.folder import ALTERNATION, RunFolder
from yt8m.runs.progress import duration

_STATE = f"{ALTERNATION}/state.json"
_METRICS = ("gap", "map", "perr", "hit_at_1", "hit_at_5", "loss", "num_examples")


class State:
    """The finished steps of a run, and after which of them the best model was taken.

    The file is written when a step has handed on its model; a driver that dies loses no more than what its step had
    not put down itself.
    """

    def __init__(self, run: RunFolder):
        self._run = run
        self.done: list[Done] = []
        self.best: dict[str, Any] = {}
        path = run.file(_STATE)
        if tf.io.gfile.exists(path):
            with tf.io.gfile.GFile(path) as f:
                values = json.load(f)
            self.done = [Done(**d) for d in values["done"]]
            self.best = values["best"]

    def add(self, done: Done, best: dict[str, Any]) -> None:
        """Put down a finished step."""
        self.done, self.best = [*self.done, done], best
        values = {"done": [dataclasses.asdict(d) for d in self.done], "best": best}
        self._run.write_text(_STATE, json.dumps(values, indent=1) + "\n")


class Log:
    """Writes what figures are drawn from, and a line for people."""

    def __init__(self, run: RunFolder):
        self._run = run

    def begin(self, step: Step) -> None:
        """A step begins, or goes on."""
        self._run.log(
            "step_begin", name=step.name, number=step.number, cycle=step.cycle, time=time.time()
        )

    def iteration(
        self, step: Step, iteration: int, result: dict[str, Any], elapsed: float, **more: Any
    ) -> None:
        """A validation in a step.

        Args:
          step: which.
          iteration: epochs or iterations of the step done; 0 is its start.
          result: metrics.
          elapsed: seconds that the step has worked, over all its resumptions.
          **more: further numbers.
        """
        values = {**{k: result[k] for k in _METRICS if k in result}, **more}
        self._run.log(
            "iteration", name=step.name, number=step.number, cycle=step.cycle, iteration=iteration,
            elapsed=round(elapsed, 3), time=time.time(), **values,
        )  # fmt: skip
        extra = "".join(f"  {k} {v:.4g}" for k, v in more.items() if isinstance(v, float))
        self.say(
            f"{step.name} iteration {iteration}: GAP {result['gap']:.4f}  MAP {result['map']:.4f}"
            f"  loss {result['loss']:.4g}{extra}  ({duration(elapsed)})"
        )

    def end(self, step: Step, result: dict[str, Any], elapsed: float, best: bool) -> None:
        """A step has handed on a model with these metrics."""
        values = {k: result[k] for k in _METRICS if k in result}
        self._run.log(
            "step_end",
            name=step.name,
            number=step.number,
            cycle=step.cycle,
            elapsed=round(elapsed, 3),
            time=time.time(),
            **values,
        )
        self.say(
            f"{step.name} done: GAP {result['gap']:.4f}  MAP {result['map']:.4f}  in {duration(elapsed)}"
            + ("  best so far" if best else "")
        )

    def event(self, name: str, **values: Any) -> None:
        """Something that happened once."""
        self._run.log(name, time=time.time(), **values)

    def say(self, text: str) -> None:
        """Print a line at once."""
        print(text, flush=True)
