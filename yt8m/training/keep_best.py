"""The models that a run keeps: the best one by validation, and the last."""

from __future__ import annotations

import math
import os
from typing import Any

from yt8m import files
from yt8m.runs.devices.workers import is_chief
from yt8m.runs.folder import BEST, LAST, METRICS, WEIGHTS, RunFolder
from yt8m.runs.predictor import Predictor
from yt8m.runs.progress import Progress
from yt8m.runs.save import save_weights
from yt8m.training.checkpoints import TrainState
from yt8m.training.schedule.course import Course
from yt8m.training.step import TrainStep
from yt8m.training.validation import Validation
from yt8m.training.window.weights import WeightWindow

_OF_THE_LOG = ("event", "time", "step", "within_epoch")  # what a logged validation has besides


class ModelKeeper:
    """Validates the averaged weights, and saves them in `best/` and `last/`.

    Args:
      run: the run's folder; only the chief writes to it.
      step: holds the model and its average.
      state: the position in the run, with the best score so far.
      validation: the validation set, or None.
      progress: prints and logs.
      min_gain: the smallest increase in the score that counts as a gain.
      course: has the steps of the whole run.
      window: keeps the weights of the last epochs, or None.

    Attributes:
      score_name: what is validated, "GAP" or "loss".
    """

    def __init__(
        self,
        run: RunFolder,
        step: TrainStep,
        state: TrainState,
        validation: Validation | None,
        progress: Progress,
        min_gain: float,
        course: Course,
        window: WeightWindow | None = None,
    ):
        self._run, self._step, self._state = run, step, state
        self._validation, self._progress, self._min_gain = validation, progress, min_gain
        self._chief, self._course, self._window = is_chief(step.strategy), course, window
        self._predictor: Predictor | None = None
        self._validated: tuple[int, dict[str, Any]] = (-1, {})  # the last validation's step
        self.score_name = "GAP" if step.model.task == "classification" else "loss"

    def validate(self, within_epoch: bool = False) -> None:
        """Evaluate the averaged weights, if there is a validation set; keep the best so far.

        Args:
          within_epoch: the epoch goes on; the log and the printed line say so.
        """
        if self._validation is None:
            return
        epoch = int(self._state.epoch) + 1
        with self._step.average.applied():
            if self._window is not None and not within_epoch:
                self._window.keep(epoch)
            result, is_best = self._measured(self._validation, {"epoch": epoch})
        self._validated = self._step.done(), {**result, "epoch": epoch}
        logged = {**result, "epoch": epoch, "step": self._step.done()}
        if within_epoch:
            logged["within_epoch"] = True
        self._progress.validation(logged, is_best)

    def judge_mean(self) -> None:
        """Validate the mean of the weights of the last epochs; keep it if it is the best so far."""
        if self._window is None or self._validation is None:
            return
        epochs = self._window.epochs(int(self._state.epoch))
        if len(epochs) < 2:
            self._progress.say("--average_checkpoints: the run has no two epochs for a mean")
            return
        best = self.best()
        with self._window.mean(epochs):
            about = {"epoch": epochs[-1], "mean_of_epochs": epochs}
            result, is_best = self._measured(self._validation, about)
        self._progress.event("mean", step=self._step.done(), **about, **result)
        score = abs(self._validation.score(result))
        than = f"; the best so far has {best:.4f}" if best is not None else ""
        self._progress.say(
            f"mean of the weights of epochs {epochs[0]} to {epochs[-1]}: {self.score_name}"
            f" {score:.4f}{than}" + (", so that best/ is now the mean" if is_best else "")
        )

    def _measured(
        self, validation: Validation, about: dict[str, Any]
    ) -> tuple[dict[str, Any], bool]:
        """Validate the model as it is; return the metrics, and whether it is the best so far."""
        if self._predictor is None:
            self._predictor = validation.predictor(self._step.model)
        result = validation(self._predictor)
        score = validation.score(result)
        is_best = score > float(self._state.best_score)
        if is_best and self._chief:
            self._write(BEST, {**result, **about})
        if is_best:
            self._state.best_score.assign(score)
        return result, is_best

    def gained(self, before: float) -> bool:
        """Return whether the best score exceeds an earlier one by more than the smallest gain.

        It is True if nothing is validated.
        """
        return self._validation is None or float(self._state.best_score) > before + self._min_gain

    def keep_last(self) -> None:
        """Save the current averaged weights, with their metrics if they were just validated."""
        if self._chief:
            with self._step.average.applied():
                self._write(LAST, self._metrics_of(self._step.done()))

    def _metrics_of(self, step: int) -> dict[str, Any]:
        """Return the metrics after a step, or nothing if it was not the last one validated.

        A process that was killed after its validation has logged them.
        """
        if self._validated[0] < 0:
            for event in self._run.logged():
                if event["event"] == "validation":
                    metrics = {k: v for k, v in event.items() if k not in _OF_THE_LOG}
                    self._validated = event["step"], metrics
        return self._validated[1] if step == self._validated[0] else {}

    def best(self) -> float | None:
        """Return the best GAP or loss, or None if nothing was validated."""
        best = abs(float(self._state.best_score))
        return best if math.isfinite(best) else None

    def _write(self, name: str, result: dict[str, Any]) -> None:
        about = {"step": self._step.done(), "epoch": int(self._state.epoch), **result}
        if self._course.steps:
            about["steps_of_run"] = self._course.steps
        save_weights(self._step.model, self._run.file(name, WEIGHTS), about=about)
        files.write_json(self._run.file(os.path.join(name, METRICS)), about)
