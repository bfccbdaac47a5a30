"""Training of the mixtures of one partition of the classes, independently of all others.

Source: UTS' parallel MoE (docs/sources.md#parallel-mixture), and step 2 of the KDD paper's trainer
(docs/sources.md#class-partitions). What a class learns does not depend on the classes that it is
trained with: its initial weights follow from the seed and its own number, all classes see the
videos in the same order, and nothing couples classes (there is no norm over all of them and no
common step size). So the number of partitions changes results only by rounding.

It takes 12 bytes of memory for each weight (the weight and Adam's two moments), a window of
features, and 0.4 GB beside TensorFlow's own 0.4; see `yt8m.largescale.mixtures.partition_memory`.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Callable

import numpy as np
import tensorflow as tf

from yt8m.errors import UserError, look_for_nan
from yt8m.largescale.features.store import FeatureStore
from yt8m.largescale.mixtures.block_steps import BlockSteps
from yt8m.largescale.mixtures.blocks_file import read_arrays, read_header, write_arrays
from yt8m.largescale.mixtures.mixture_block import BETA_1, BETA_2
from yt8m.largescale.mixtures.moe_settings import MoeSettings
from yt8m.largescale.mixtures.partition_clock import PartitionClock
from yt8m.largescale.storage import objects
from yt8m.largescale.tasks.freed_memory import give_back
from yt8m.largescale.tasks.prefetch import prefetched
from yt8m.runs.stop_signal import Stopped, StopSignal
from yt8m.training.schedule.examples_schedule import make_schedule

CHECKPOINT = ".checkpoint"  # the ending of the file that resumes a partition
REPORT_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class Report:
    """The state of a partition.

    Attributes:
      step: the number of steps done.
      total_steps: the number of steps in total.
      loss: the mean loss of the steps since the last report.
      examples_per_second: the speed since the last report.
      learning_rate: the rate of the last step.
    """

    step: int
    total_steps: int
    loss: float
    examples_per_second: float
    learning_rate: float


def train_partition(
    store: FeatureStore,
    classes: Sequence[int],
    num_mixtures: Sequence[int],
    settings: MoeSettings,
    path: str,
    priors: np.ndarray | None = None,
    stop: StopSignal | None = None,
    report: Callable[[Report], None] = lambda _: None,
    report_seconds: float = REPORT_SECONDS,
    until: int | None = None,
) -> dict[str, Any] | None:
    """Train `classes` and write their weights to `path`; a finished partition is left unchanged.

    Args:
      store: features [N, D] and labels.
      classes: labels [C].
      num_mixtures: the number of experts of each of them, [C].
      settings: the same for every partition.
      path: where the weights go (see `blocks_file`); `path + ".checkpoint"` beside it holds the
        state of a partition that was stopped or killed.
      priors: label frequencies [K] from which the biases start.
      stop: checked before each step.
      report: called about every `report_seconds`, and at the end.
      report_seconds: seconds between two reports.
      until: the number of steps after which to save the state and return; None trains to the end.

    Returns:
      The file's header: `blocks`, `loss` (the mean of the last epoch), `steps`, `seconds` and
      `examples_per_second`; None if `until` was reached before the end.

    Raises:
      Stopped: `stop` was set; the state has been saved.
      UserError: the settings do not match, or the loss stopped being finite.
    """
    settings.check()
    finished = read_header(path)
    if finished is not None:
        return finished
    stop = stop or StopSignal()
    part = Partition(store, classes, num_mixtures, settings, path, report)
    part.start_or_resume(priors, report_seconds)
    for features, labels in prefetched(part.batches(until)):
        if stop():
            part.save()
            raise Stopped(stop.number)
        part.train(features, labels)
        part.report_and_save_if_due(until)
    if part.step < part.total_steps:
        with stop.deadline.saving():
            part.save()
        return None
    return part.finish()


class Partition:
    """The blocks of one partition during training; see `train_partition` for the arguments.

    Attributes:
      step: the number of steps done.
      total_steps: the number of steps in total.
    """

    def __init__(
        self,
        store: FeatureStore,
        classes: Sequence[int],
        num_mixtures: Sequence[int],
        settings: MoeSettings,
        path: str,
        report: Callable[[Report], None],
    ):
        recipe = settings.recipe
        self._store, self._settings, self._path, self._report = store, settings, path, report
        self._epoch_steps, self.total_steps = settings.steps(store.num_examples)
        self._take_step = BlockSteps(classes, num_mixtures, store.width, settings)
        self._blocks = self._take_step.blocks
        self._headers = [block.header() for block in self._blocks]
        schedule = make_schedule(recipe, self.total_steps * recipe.batch_size)
        rates = tf.cast(schedule(tf.range(self.total_steps)), tf.float32)
        self._rates = rates + tf.zeros([self.total_steps])  # a constant schedule has one number
        self._loss = tf.Variable(0.0, trainable=False)
        self.step = 0

    def start_or_resume(self, priors: np.ndarray | None, report_seconds: float) -> None:
        """Load the checkpoint if it is one of the same blocks, or initialise the weights."""
        settings = self._settings
        give_back()  # what an earlier partition had
        for block in self._blocks:
            block.make_moments()
        state = read_header(self._path + CHECKPOINT)
        if state is not None and state["blocks"] == self._headers:
            _, arrays = read_arrays(self._path + CHECKPOINT)
            for block in self._blocks:
                block.load(arrays, with_moments=True)
                give_back()
        else:
            state = {"step": 0, "seconds": 0.0, "loss_sum": 0.0, "loss_steps": 0}
            glorot_classes = settings.glorot_classes or self._store.num_classes
            priors = priors if settings.initial == "priors" else None
            for block in self._blocks:
                block.start(settings.seed, glorot_classes, priors)
        self.step = int(state["step"])
        self._clock = PartitionClock(state, settings.checkpoint_seconds, report_seconds)

    def batches(self, until: int | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the batches of the steps up to `until`, and read no further."""
        settings, classes = self._settings, [c for block in self._blocks for c in block.classes]
        step, last = self.step, self._last(until)
        while step < last:
            epoch, within = divmod(step, self._epoch_steps)
            count = min(self._epoch_steps - within, last - step)
            batches = self._store.batches(
                settings.recipe.batch_size, settings.seed, epoch, classes, skip=within
            )
            with contextlib.closing(batches):
                for _ in range(count):
                    yield next(batches)
            step += count

    def _last(self, until: int | None) -> int:
        return self.total_steps if until is None else min(until, self.total_steps)

    def train(self, features: np.ndarray, labels: np.ndarray) -> None:
        """Take one step of every block on features [B, D] and labels [B, C]."""
        x = tf.cast(tf.constant(features), self._settings.dtype)
        powers = tf.constant([BETA_1 ** (self.step + 1), BETA_2 ** (self.step + 1)], tf.float32)
        self._take_step(x, labels, self._rates[self.step], powers, self._loss)
        self.step += 1

    def report_and_save_if_due(self, until: int | None) -> None:
        """Report if it is time or the end, and save a checkpoint if it is time and not the end."""
        if self._clock.report_due() or self.step == self.total_steps:
            self._collect_loss()
        every = self._settings.checkpoint_steps
        due = (every and self.step % every == 0) or self._clock.save_due()
        if due and self.step < self._last(until):
            self.save()

    def _collect_loss(self) -> None:
        """Report the mean loss since the last call.

        Raises:
          UserError: it is not finite.
        """
        taken = float(self._loss.numpy())
        self._loss.assign(0.0)
        recipe = self._settings.recipe
        if not np.isfinite(taken):
            first = self._blocks[0].classes[0]
            raise UserError(
                f"the loss of classes {first} and others stopped being finite by step"
                f" {self.step:,}. {look_for_nan()} Otherwise lower --base_learning_rate (now"
                f" {recipe.base_learning_rate}) or set --clip_gradient_norm, and add"
                " --start_new_model."
            )
        mean, speed = self._clock.add(self.step, taken, self._epoch_steps, recipe.batch_size)
        if mean is not None:
            rate = float(self._rates[self.step - 1])
            self._report(Report(self.step, self.total_steps, mean, speed, rate))

    def save(self) -> None:
        """Write everything that resumes the training to the checkpoint."""
        self._collect_loss()
        header = {"blocks": self._headers, **self._clock.state(self.step)}
        write_arrays(self._path + CHECKPOINT, header, self._arrays(with_moments=True))
        self._clock.saved()

    def finish(self) -> dict[str, Any]:
        """Write the weights, delete the checkpoint, and return the header of the file."""
        result = self._clock.result(self._settings.recipe.batch_size)
        header = {"blocks": self._headers, **result, "steps": self.step}
        write_arrays(self._path, header, self._arrays(with_moments=False))
        objects.remove(self._path + CHECKPOINT)
        return header

    def _arrays(self, with_moments: bool) -> Iterator[np.ndarray]:
        return (a for block in self._blocks for a in block.arrays(with_moments))
