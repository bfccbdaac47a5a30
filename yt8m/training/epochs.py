"""The steps of a run, one epoch after another."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any, Callable

import tensorflow as tf

from yt8m.data.files.bad_records import PARSE_ERRORS
from yt8m.errors import UserError
from yt8m.runs.config import RunConfig
from yt8m.runs.stop_signal import StopVote
from yt8m.training.checkpoints import TrainState
from yt8m.training.schedule.course import Course
from yt8m.training.step import StepOutputs, TrainStep
from yt8m.training.training_data import TrainingData


class Epochs:
    """Runs the steps of a run, from the position in `state`.

    Args:
      config: the run's settings.
      course: the run's length.
      step: runs the steps.
      state: the position in the run, which is advanced.
      data: the training records.
      stop: ends an epoch early; it is checked before each call of `step`.
      steps_per_call: the most steps in a call of `step`.
      until_due: from the steps done to those that may follow before a checkpoint or a validation
        is due.

    Attributes:
      data_ended: whether the data of the last epoch have ended, so that its length is known.
    """

    def __init__(
        self,
        config: RunConfig,
        course: Course,
        step: TrainStep,
        state: TrainState,
        data: TrainingData,
        stop: StopVote,
        steps_per_call: int = 1,
        until_due: Callable[[int], float] = lambda done: math.inf,
    ):
        self._batch_size, self._num_epochs = config.recipe.batch_size, config.recipe.num_epochs
        self._max_steps = config.training.max_steps
        self._steps_per_call, self._until_due = steps_per_call, until_due
        self._course, self._step, self._state = course, step, state
        self._data, self._stop = data, stop
        self._not_ended: Any = None
        self.data_ended = False

    def are_over(self) -> bool:
        """Return whether the run has done all of its epochs or all of its steps."""
        return int(self._state.epoch) >= self._num_epochs or self._is_out_of_steps()

    def steps(self) -> Iterator[StepOutputs]:
        """Run the rest of the epoch; yield what each call of the step returned.

        The epoch ends with its data, at --max_steps, or when the workers have agreed to stop.

        Raises:
          UserError: the epoch contains no complete batch, or too many broken records.
        """
        self.data_ended = False
        batches = self._open()
        while (left := self._steps_left()) > 0 and not self._stop():
            steps = self._steps_in_call(left)
            try:
                with self._examples_counted() as before:
                    self._stop.will_save(before + steps)
                    outputs = self._step(batches, tf.constant(steps, tf.int32))
            except tf.errors.OutOfRangeError:
                self._stop.will_save(self._step.done())  # after a signal in the validation
                self.data_ended = True
                break
            except PARSE_ERRORS as error:
                if not self._data.leaves_out(error):
                    raise
                batches = self._open()  # from the step that failed
            else:
                yield outputs
        if self._stop.stopped:
            # Ending their pipeline may take a minute, and the run must save before that.
            self._not_ended = batches
        self._check_not_empty()

    def finding(self) -> str:
        """Return a line about the data of an epoch that has ended, or ""."""
        return self._data.finding()

    def _open(self) -> Any:
        return self._data.open(int(self._state.epoch), int(self._state.examples_in_epoch))

    @contextlib.contextmanager
    def _examples_counted(self) -> Iterator[int]:
        """Yield the steps done; count those that are added, whichever way the call ends."""
        before = self._step.done()
        try:
            yield before
        finally:
            done = (self._step.done() - before) * self._batch_size
            self._state.examples_in_epoch.assign_add(done)

    def _steps_in_call(self, left: float) -> int:
        """Return the steps of the next call, which ends where something else is to be done.

        A call that the end of the data cuts off returns nothing to report. So it ends with the
        epoch, whose length may be an estimate: after it, single steps look for more data.
        """
        in_epoch = self.left_in_epoch()
        until_due = self._until_due(self._step.done())
        return int(min(self._steps_per_call, left, max(1, in_epoch), max(1, until_due)))

    def left_in_epoch(self) -> int:
        """Return the steps that are left in the epoch; it is negative if there is more data."""
        return self._whole_batches() - self._done_in_epoch()

    def _whole_batches(self) -> int:
        return self._course.length.epoch_examples // self._batch_size

    def _done_in_epoch(self) -> int:
        return int(self._state.examples_in_epoch) // self._batch_size

    def _steps_left(self) -> float:
        """Return the steps until the epoch or the run must end, if that is known beforehand."""
        left = math.inf
        if self._max_steps:
            left = self._max_steps - self._step.done()
        if self._data.num_workers > 1:
            left = min(left, self.left_in_epoch())
        return left

    def _is_out_of_steps(self) -> bool:
        return bool(self._max_steps) and self._step.done() >= self._max_steps

    def _check_not_empty(self) -> None:
        is_cut = self._stop.stopped or self._is_out_of_steps()
        if is_cut or int(self._state.examples_in_epoch):
            return
        length = self._course.length
        if broken := self._data.broken():
            raise UserError(
                f"no batch of --batch_size={self._batch_size} is complete: of the"
                f" {length.epoch_examples:,} {length.unit} in the training records, too many are"
                f" broken; {broken}. `yt8m inspect --full` lists them; get the files again."
            )
        raise UserError(
            f"--batch_size={self._batch_size} is larger than the number of {length.unit} in the"
            f" training records, {length.epoch_examples}; lower it."
        )
