"""Trains the mixtures of some classes on features that are given: one partition, as if there were no other.

Source: UTS' parallel MoE (spec C.2), step 2 of the KDD paper's trainer (spec D.5, D.6). What a class
learns does not hang on which classes it is trained with: its first weights come from the seed and its
own number, the videos come in the same order for all, and nothing couples classes (no norm over all of
them, no common step size). So the number of partitions changes results by rounding alone.

Memory: 12 bytes a weight (the weight and Adam's two moments), a window of features, and 0.3 GB beside TensorFlow's own 0.4.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from typing import Any, Callable

import numpy as np
import tensorflow as tf

from yt8m.errors import UserError, look_for_nan
from yt8m.largescale.features.store import FeatureStore
from yt8m.largescale.mixtures.blocks_file import read_arrays, read_header, write_arrays
from yt8m.largescale.mixtures.mixture_block import (
    BETA_1,
    BETA_2,
    MixtureBlock,
    block_header,
    cut,
    training_step,
)
from yt8m.largescale.tasks.prefetch import prefetched
from yt8m.losses import registry as losses
from yt8m.models.core.recipe import Recipe
from yt8m.training.optimizers import make_schedule


@dataclasses.dataclass(frozen=True)
class MoeSettings:
    """How partitions are trained; the same for all of them.

    Attributes:
      recipe: optimizer (Adam), rates, batch size, epochs, loss; `clip_gradient_norm` limits the
        gradient of each class by itself.
      max_steps: stop after so many; 0 is no limit.
      seed: of first weights and data order.
      dtype: of the matrix products, "float32" or "bfloat16"; weights are float32.
      l2: weight of Σw²/2 over the kernels.
      dummy_expert, expert_bias, initial: as in `MixtureOfExperts`.
      glorot_classes: classes of the layer whose initial scale is meant; 0 is all of the store's.
      checkpoint_seconds, checkpoint_steps: how often the partition in work is saved; 0 is never.
    """

    recipe: Recipe
    max_steps: int = 0
    seed: int = 0
    dtype: str = "float32"
    l2: float = 1e-8
    dummy_expert: bool = True
    expert_bias: bool = True
    initial: str = "priors"
    glorot_classes: int = 0
    checkpoint_seconds: float = 600.0
    checkpoint_steps: int = 0

    def check(self) -> None:
        """Refuse what would couple classes, or is not there.

        Raises:
          UserError: names the flag.
        """
        r = self.recipe
        if r.optimizer.lower() not in ("adam", "adamoptimizer"):
            raise UserError(
                f"--optimizer={r.optimizer}: partitions are trained by Adam; drop the flag, or take --trainer=joint."
            )
        if r.global_clip_norm:
            raise UserError(
                "--global_clip_norm couples all classes, which are trained apart; use --clip_gradient_norm, which is by class here."
            )
        losses.check_by_class(r.label_loss)
        if r.weight_average:
            raise UserError(
                "--weight_average is not for classes trained apart; drop it, or take --trainer=joint."
            )

    def steps(self, num_examples: int) -> tuple[int, int]:
        """Return (steps an epoch, steps in all) over `num_examples`.

        Raises:
          UserError: there are fewer than a batch.
        """
        each = num_examples // self.recipe.batch_size
        if not each:
            raise UserError(
                f"--batch_size={self.recipe.batch_size} is more than the {num_examples} training records; lower it."
            )
        total = each * self.recipe.num_epochs
        return each, min(total, self.max_steps) if self.max_steps else total


@dataclasses.dataclass(frozen=True)
class Report:
    """The state of a partition: steps done and in all, mean loss of the last of them, examples a second, learning rate."""

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
    stop: Callable[[], bool] = lambda: False,
    report: Callable[[Report], None] = lambda _: None,
    report_seconds: float = 10.0,
    until: int | None = None,
) -> dict[str, Any] | None:
    """Train `classes`, write their weights to `path`, and return what is known of it; a finished partition is left alone.

    Args:
      store: features [N, D] and labels.
      classes: labels [C].
      num_mixtures: experts of each of them [C].
      settings: the same for every partition.
      path: of the weights (see `blocks_file`); beside it `path + ".checkpoint"` holds the state of one
        that was stopped or killed.
      priors: label frequencies [K] to start the biases from.
      stop: asked before each step; True saves the state and ends.
      report: called about every `report_seconds`, and at the end.
      until: steps in all after which to save the state and end, reading no more than they need; None is all.

    Returns:
      The file's header: `blocks`, `loss` (mean of the last epoch), `steps`, `seconds`,
      `examples_per_second`; None when `stop` or `until` ended it.

    Raises:
      UserError: the settings do not fit, or the loss stopped being finite.
    """
    settings.check()
    finished = read_header(path)
    if finished is not None:
        return finished
    batch, (each, total) = settings.recipe.batch_size, settings.steps(store.num_examples)
    blocks = [
        MixtureBlock(part, k, store.width, settings.dummy_expert, settings.expert_bias)
        for k, part in cut(list(classes), [int(n) for n in num_mixtures], store.width, batch)
    ]
    headers = [block_header(b) for b in blocks]
    for block in blocks:
        block.prepare()
    state = _resume(path + ".checkpoint", blocks, headers)
    if state is None:
        state = {"step": 0, "seconds": 0.0, "loss_sum": 0.0, "loss_steps": 0}
        for block in blocks:
            block.start(
                settings.seed,
                settings.glorot_classes or store.num_classes,
                priors if settings.initial == "priors" else None,
            )
    schedule = make_schedule(settings.recipe, total * batch)
    rates = tf.cast(schedule(tf.range(total)), tf.float32) + tf.zeros([total])
    order = [c for block in blocks for c in block.classes]
    r = settings.recipe
    steps = [
        training_step(r.label_loss, settings.l2, r.clip_gradient_norm, b.class_major, b.shapes)
        for b in blocks
    ]
    loss = tf.Variable(0.0, trainable=False)
    clock = _Clock(state, settings.checkpoint_seconds, report_seconds)

    def look(step: int) -> None:
        """Take the mean loss since the last look; refuse to go on with what is not a number."""
        taken = float(loss.numpy())
        loss.assign(0.0)
        if not np.isfinite(taken):
            raise UserError(
                f"the loss of classes {order[0]} and others stopped being finite by step {step:,}. {look_for_nan()}"
                f" Else lower --base_learning_rate (now {settings.recipe.base_learning_rate}) or give --clip_gradient_norm, and --start_new_model."
            )
        mean, speed = clock.taken(step, taken, each, batch)
        if mean is not None:
            report(Report(step, total, mean, speed, float(rates[step - 1])))

    def save(step: int) -> None:
        look(step)
        arrays = (a for b in blocks for a in b.arrays(with_moments=True))
        write_arrays(path + ".checkpoint", {"blocks": headers, **clock.state(step)}, arrays)
        clock.saved()

    step, last = int(state["step"]), total if until is None else min(until, total)
    for x, labels in prefetched(_batches(store, settings, order, step, each, last)):
        if stop():
            save(step)
            return None
        x, start = tf.cast(tf.constant(x), settings.dtype), 0
        powers = tf.constant([BETA_1 ** (step + 1), BETA_2 ** (step + 1)], tf.float32)
        for block, train in zip(blocks, steps):
            y = tf.constant(labels[:, start : start + len(block.classes)])
            train(x, y, block.weights, block.moments, rates[step], powers[0], powers[1], loss)
            start += len(block.classes)
        step += 1
        if clock.report_due() or step == total:
            look(step)
        due_by_steps = settings.checkpoint_steps and step % settings.checkpoint_steps == 0
        if (due_by_steps or clock.save_due()) and step < last:
            save(step)
    if last < total:
        save(step)
        return None
    if step == 0:
        look(0)
    header = {"blocks": headers, **clock.result(batch), "steps": step}
    write_arrays(path, header, (a for b in blocks for a in b.arrays(with_moments=False)))
    if tf.io.gfile.exists(path + ".checkpoint"):
        tf.io.gfile.remove(path + ".checkpoint")
    return header


def _batches(
    store: FeatureStore, settings: MoeSettings, classes: list[int], first: int, each: int, last: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the batches of the steps from `first` up to `last`, and read no further."""
    while first < last:
        epoch, within = divmod(first, each)
        count = min(each - within, last - first)
        batches = store.batches(
            settings.recipe.batch_size, settings.seed, epoch, classes, skip=within
        )
        for _ in range(count):
            yield next(batches)
        first += count


def _resume(
    path: str, blocks: list[MixtureBlock], headers: list[dict[str, Any]]
) -> dict[str, Any] | None:
    if read_header(path) is None:
        return None
    header, arrays = read_arrays(path)
    if header["blocks"] != headers:
        return None
    for block in blocks:
        block.load(arrays, with_moments=True)
    return header


class _Clock:
    """Times, and means of the loss: since the last report, and over the last epoch."""

    def __init__(self, state: dict[str, Any], save_seconds: float, report_seconds: float):
        self._save_seconds, self._report_seconds = save_seconds, report_seconds
        self._began = self._reported = self._saved = time.monotonic()
        self._before, self._first, self._last = (
            float(state["seconds"]),
            int(state["step"]),
            int(state["step"]),
        )
        self._sum, self._count = float(state["loss_sum"]), int(state["loss_steps"])

    def report_due(self) -> bool:
        return time.monotonic() - self._reported >= self._report_seconds

    def save_due(self) -> bool:
        return bool(self._save_seconds) and time.monotonic() - self._saved >= self._save_seconds

    def saved(self) -> None:
        self._saved = time.monotonic()

    def taken(self, step: int, loss: float, each: int, batch: int) -> tuple[float | None, float]:
        """Return the mean loss a step and the examples a second since the last look; None where there was no step."""
        now, done = time.monotonic(), step - self._last
        if done <= 0:
            return None, 0.0
        # The mean of about an epoch: what was before it is forgotten.
        keep = max(0, each - done) / max(1, self._count) if self._count > each - done else 1.0
        self._sum, self._count = self._sum * keep + loss, int(self._count * keep) + done
        speed = done * batch / max(now - self._reported, 1e-9)
        self._reported, self._last = now, step
        return loss / done, speed

    def state(self, step: int) -> dict[str, Any]:
        seconds = self._before + time.monotonic() - self._began
        return {
            "step": step,
            "seconds": round(seconds, 3),
            "loss_sum": self._sum,
            "loss_steps": self._count,
        }

    def result(self, batch: int) -> dict[str, Any]:
        seconds = self._before + time.monotonic() - self._began
        return {
            "loss": self._sum / max(1, self._count),
            "seconds": round(seconds, 3),
            "examples_per_second": round(self._last * batch / max(seconds, 1e-9), 1),
        }
