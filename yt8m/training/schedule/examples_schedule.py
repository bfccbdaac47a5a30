"""Learning-rate schedules that count examples, not steps, through every phase of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.models.core.recipe import Recipe, Schedule
from yt8m.runs.settings.phases import Phase


@tf.keras.utils.register_keras_serializable(package="yt8m")
class ExamplesSchedule(tf.keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that depends on the examples seen, whatever the batch size.

    Args:
      base: the learning rate after the warm-up.
      kind: "cosine" (to zero at `total_examples`), "exponential" (the starter code's staircase:
        times `decay` every `decay_examples`), "exponential_continuous" (the same without stairs, as
        in UTS; see `docs/sources.md#learning-rate-decay`) or "constant".
      batch_size: examples in a step.
      total_examples: examples in the whole run; only the cosine uses it.
      decay, decay_examples: the exponential's factor, and the examples that it takes.
      warmup_examples: examples of a linear warm-up from zero, which no later phase repeats.
      phases: the phases of a run whose length has changed, in order; `base` and `total_examples`
        then have no effect. A compiled step keeps the phases with which it was traced.
    """

    def __init__(
        self,
        base: float,
        kind: Schedule,
        batch_size: int,
        total_examples: int,
        decay: float = 0.95,
        decay_examples: int = 4_000_000,
        warmup_examples: int = 0,
        phases: Sequence[Phase] = (),
    ):
        self.base, self.kind, self.batch_size = base, kind, batch_size
        self.total_examples, self.decay, self.decay_examples = total_examples, decay, decay_examples
        self.warmup_examples, self.phases = warmup_examples, tuple(phases)

    def __call__(self, step: Any) -> tf.Tensor:
        """Return the learning rate for the step that follows `step` steps."""
        rate = self.after_warmup(step)
        if self.warmup_examples:
            examples = tf.cast(step, tf.float32) * float(self.batch_size)
            rate *= tf.minimum(1.0, (examples + self.batch_size) / self.warmup_examples)
        return rate

    def after_warmup(self, step: Any) -> tf.Tensor:
        """Return the same as if there were no warm-up."""
        done = tf.cast(step, tf.float32)
        if not self.phases:
            return self._rate(self.base, done, self.total_examples)
        rate = tf.constant(self.phases[0].rate, tf.float32)
        for phase in self.phases:
            rate = tf.where(done >= phase.from_step, self._in_phase(phase, done), rate)
        return rate

    def _in_phase(self, phase: Phase, done: tf.Tensor) -> tf.Tensor:
        if phase.holds:
            return tf.constant(phase.rate, tf.float32)
        # Without a subtraction of 0, so that a phase from the beginning repeats the last digits.
        done = done - phase.start_step if phase.start_step else done
        return self._rate(phase.rate, done, (phase.steps - phase.start_step) * self.batch_size)

    def _rate(self, first: float, done: tf.Tensor, total_examples: int) -> tf.Tensor:
        """Return the rate `done` steps after the schedule began with the rate `first`."""
        examples = done * float(self.batch_size)
        rate = tf.constant(first, tf.float32)
        if self.kind == "cosine":
            part_done = tf.minimum(1.0, examples / max(1.0, float(total_examples)))
            rate *= 0.5 * (1.0 + tf.cos(math.pi * part_done))
        elif self.kind == "exponential":
            rate *= tf.pow(self.decay, tf.floor(examples / self.decay_examples))
        elif self.kind == "exponential_continuous":
            rate *= tf.pow(self.decay, examples / self.decay_examples)
        return rate

    def get_config(self) -> dict[str, Any]:
        """Return every constructor argument."""
        return dict(vars(self))


def make_schedule(
    recipe: Recipe, total_examples: int, phases: Sequence[Phase] = ()
) -> ExamplesSchedule:
    """Return the recipe's learning-rate schedule for a run of `total_examples`.

    Args:
      recipe: the run's recipe.
      total_examples: examples in the whole run.
      phases: those of a run whose length has changed.
    """
    return ExamplesSchedule(
        base=recipe.base_learning_rate,
        kind=recipe.schedule,
        batch_size=recipe.batch_size,
        total_examples=total_examples,
        decay=recipe.learning_rate_decay,
        decay_examples=recipe.learning_rate_decay_examples,
        warmup_examples=recipe.warmup_examples,
        phases=phases,
    )
