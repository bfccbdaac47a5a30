"""The line that a run prints and logs between two validations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from yt8m.errors import UserError, look_for_nan
from yt8m.metrics.batch_metrics import batch_metrics
from yt8m.runs.config import RunConfig
from yt8m.runs.progress import Progress
from yt8m.training.checkpoints import TrainState
from yt8m.training.schedule.course import Course
from yt8m.training.step import StepOutputs, TrainStep


class StepReport:
    """Reports the steps since the last call, and refuses to continue with a diverged model.

    Args:
      config: the run's settings.
      step: runs the steps, and sums up their losses.
      state: the position in the run.
      progress: prints and logs.
      course: the run's length and learning rates.
    """

    def __init__(
        self,
        config: RunConfig,
        step: TrainStep,
        state: TrainState,
        progress: Progress,
        course: Course,
    ):
        self._config, self._step, self._state = config, step, state
        self._progress, self._course = progress, course

    def __call__(self, last: StepOutputs) -> None:
        """Print and log the means since the last report, with the metrics of the last batch.

        Args:
          last: what the last step returned.

        Raises:
          UserError: the loss is not finite, or the predictions are not probabilities.
        """
        sums = self._checked_sums()
        if not sums["steps"]:
            return
        step, epoch, recipe = self._step.done(), int(self._state.epoch), self._config.recipe
        values: dict[str, Any] = {key: sums[key] for key in ("loss", "regularization")}
        values["learning_rate"] = float(self._course.schedule(step - 1))  # of the last step
        if self._step.model.task == "classification":
            values.update(self._metrics(last))
        values.update(step=step, epoch=epoch + 1)
        self._progress.train(
            step * recipe.batch_size, self._course.length.examples, epoch, recipe.num_epochs, values
        )

    def check_finite(self) -> None:
        """Refuse to continue if the loss or a gradient since the last report was not finite."""
        if not self._step.is_finite():
            self._checked_sums()

    def _metrics(self, last: StepOutputs) -> dict[str, float]:
        local = self._step.strategy.experimental_local_results
        labels, predictions = (np.concatenate([p.numpy() for p in local(x)]) for x in last)
        low, high = predictions.min(), predictions.max()
        if low < -0.001 or high > 1.001:  # A softmax may leave [0, 1] by its rounding.
            raise UserError(
                f"--model={self._config.model.name} predicts values from {low:.3g} to {high:.3g},"
                " but the losses and the CSVs require probabilities from 0 to 1: end its call with"
                " a sigmoid, a softmax or a head of yt8m.layers."
            )
        return batch_metrics(predictions, labels, self._config.training.top_k)

    def _checked_sums(self) -> dict[str, float]:
        sums = self._step.read_sums()
        if not sums["broken"] and math.isfinite(sums["loss"] + sums["regularization"]):
            return sums
        step, rate = self._step.done(), self._config.recipe.base_learning_rate
        self._progress.event("diverged", step=step)
        raise UserError(
            f"the loss or its gradient stopped being finite by step {step:,}."
            f" {look_for_nan(self._config.training.train_data_pattern)} Otherwise lower"
            f" --base_learning_rate (now {rate}), --weight_decay or the clipping norm, and start"
            " over with --start_new_model; checkpoints of before are kept."
        )
