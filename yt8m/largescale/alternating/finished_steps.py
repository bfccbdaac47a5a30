"""The finished steps of an alternation, kept in `alternation/state.json`."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.files import write_json
from yt8m.largescale.alternating.plan import Step
from yt8m.runs.folder import ALTERNATION, RunFolder
from yt8m.stored import exists, intact, read_object

_FILE = f"{ALTERNATION}/state.json"


class FinishedSteps:
    """The GAPs of a run's finished steps, and the step after which the best model was taken.

    The file is written when a step has passed on its model. A driver that dies loses only what its
    step had not saved itself.

    Args:
      run: the run's folder.

    Attributes:
      gaps: the validation GAP of each finished step's model, in order.
      best: the metrics of the best model so far, and after which step it was taken.
    """

    def __init__(self, run: RunFolder):
        self._path = run.file(_FILE)
        self.gaps: dict[Step, float] = {}
        self.best: dict[str, Any] = {}
        if exists(self._path):
            advice = "restore it from a copy, or delete it: the steps are then taken again."
            values = read_object(self._path, advice)
            with intact(self._path, advice):
                self.gaps = {Step(d["number"], d["cycle"]): float(d["gap"]) for d in values["done"]}
                self.best = {**values["best"]}

    def add(self, step: Step, gap: float, best: dict[str, Any]) -> None:
        """Record a finished step."""
        self.gaps[step], self.best = gap, best
        done = [{"number": s.number, "cycle": s.cycle, "gap": gap} for s, gap in self.gaps.items()]
        tf.io.gfile.makedirs(self._path.rpartition("/")[0])
        write_json(self._path, {"done": done, "best": best})
