"""Optimizers by name, and learning-rate schedules that count examples, not steps."""

from __future__ import annotations

import math
import warnings
from typing import Any, Callable

import tensorflow as tf

from yt8m.compat import KERAS_3
from yt8m.errors import UserError, near_misses
from yt8m.models.core.recipe import Recipe, Schedule
from yt8m.training.fused_adam import Adam, AdamW


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
      warmup_examples: examples of a linear warm-up from zero.
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
    ):
        self.base, self.kind, self.batch_size = base, kind, batch_size
        self.total_examples, self.decay, self.decay_examples = total_examples, decay, decay_examples
        self.warmup_examples = warmup_examples

    def __call__(self, step: Any) -> tf.Tensor:
        """Return the learning rate for the step that follows `step` steps."""
        examples = tf.cast(step, tf.float32) * float(self.batch_size)
        rate = tf.constant(self.base, tf.float32)
        if self.kind == "cosine":
            part_done = tf.minimum(1.0, examples / max(1.0, float(self.total_examples)))
            rate *= 0.5 * (1.0 + tf.cos(math.pi * part_done))
        elif self.kind == "exponential":
            rate *= tf.pow(self.decay, tf.floor(examples / self.decay_examples))
        elif self.kind == "exponential_continuous":
            rate *= tf.pow(self.decay, examples / self.decay_examples)
        if self.warmup_examples:
            rate *= tf.minimum(1.0, (examples + self.batch_size) / self.warmup_examples)
        return rate

    def get_config(self) -> dict[str, Any]:
        """Return every constructor argument."""
        return dict(vars(self))


# Name -> what makes the optimizer, from a learning-rate schedule and a recipe.
_Table = dict[str, Callable[[Any, Recipe], Any]]
_ADDONS = ("LazyAdam", "RectifiedAdam", "Yogi", "NovoGrad")


def _native() -> _Table:
    keras = tf.keras.optimizers
    table = {
        # Both papers and the starter code ran with TensorFlow 1's epsilon, 1e-8; Keras has 1e-7.
        "Adam": lambda rate, r: Adam(rate, epsilon=1e-8),
        "AdamW": lambda rate, r: AdamW(rate, weight_decay=r.weight_decay, epsilon=1e-8),
        "SGD": lambda rate, r: keras.SGD(rate, momentum=0.9),
        # The starter code took the rest by their names in TensorFlow 1.
        "GradientDescent": lambda rate, r: keras.SGD(rate),
        "Adagrad": lambda rate, r: keras.Adagrad(rate),
        "Adadelta": lambda rate, r: keras.Adadelta(rate),
        "Ftrl": lambda rate, r: keras.Ftrl(rate),
        "RMSprop": lambda rate, r: keras.RMSprop(rate),
    }
    if hasattr(keras, "Lamb"):
        table["LAMB"] = lambda rate, r: keras.Lamb(rate, weight_decay=r.weight_decay or None)
    return table


def _from_addons() -> _Table:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # A user cannot act on its end-of-life notice.
            import tensorflow_addons as tfa
    except ImportError:
        return {}
    lamb = tfa.optimizers.LAMB
    table = {name: _plain(getattr(tfa.optimizers, name)) for name in _ADDONS}
    table["LAMB"] = lambda rate, r: lamb(rate, weight_decay=r.weight_decay)
    return table


def _plain(optimizer: Callable[[Any], Any]) -> Callable[[Any, Recipe], Any]:
    return lambda rate, recipe: optimizer(rate)


def available() -> list[str]:
    """Return the names of the optimizers that the installed packages offer."""
    return sorted({**_from_addons(), **_native()})


def decays(name: str) -> bool:
    """Return whether the optimizer called `name` has a weight decay."""
    return name.lower().removesuffix("optimizer") in ("adamw", "lamb")


def make_schedule(recipe: Recipe, total_examples: int) -> ExamplesSchedule:
    """Return the recipe's learning-rate schedule for a run of `total_examples`."""
    return ExamplesSchedule(
        base=recipe.base_learning_rate,
        kind=recipe.schedule,
        batch_size=recipe.batch_size,
        total_examples=total_examples,
        decay=recipe.learning_rate_decay,
        decay_examples=recipe.learning_rate_decay_examples,
        warmup_examples=recipe.warmup_examples,
    )


def make_optimizer(recipe: Recipe, total_examples: int) -> Any:
    """Return the recipe's optimizer with its learning-rate schedule.

    Args:
      recipe: names the optimizer; names of the starter code, such as `AdamOptimizer`, work too.
      total_examples: examples in the whole run.

    Raises:
      UserError: the name is unknown, or only tensorflow-addons has it and that is not installed.
    """
    table = {**_from_addons(), **_native()}
    short = recipe.optimizer.lower().removesuffix("optimizer")
    names = {name.lower(): name for name in table}
    found = names.get("sgd" if short == "momentum" else short)
    if found is None:
        hint = near_misses(recipe.optimizer, table)
        if short in (name.lower() for name in _ADDONS):
            hint += (
                " It comes with tensorflow-addons, which exists only for Python up to 3.11 with"
                " TensorFlow 2.15."
            )
        raise UserError(
            f"--optimizer={recipe.optimizer} is not available; the optimizers are"
            f" {', '.join(sorted(table))}.{hint}"
        )
    return table[found](make_schedule(recipe, total_examples), recipe)


def prepare(optimizer: Any, variables: list[Any]) -> None:
    """Create the optimizer's variables, so that a checkpoint can be restored before step one."""
    if hasattr(optimizer, "build"):
        optimizer.build(variables)
    else:  # a legacy optimizer, as those of tensorflow-addons
        optimizer._create_all_weights(variables)


def apply_reduced(
    optimizer: Any, gradients: list[tf.Tensor], variables: list[Any], num_replicas: int
) -> None:
    """Apply gradients that are already summed over the replicas; call in replica context.

    Keras 3 always sums over replicas itself and has no argument to prevent this, so each replica
    passes its share; the optimizers of Keras 2 and of tensorflow-addons have such an argument.

    Args:
      optimizer: any optimizer that `make_optimizer` returns.
      gradients: one for each variable.
      variables: what to change.
      num_replicas: replicas that call this.
    """
    pairs = zip(gradients, variables)
    if not isinstance(optimizer, tf.keras.optimizers.Optimizer):
        optimizer.apply_gradients(pairs, experimental_aggregate_gradients=False)
    elif not KERAS_3:
        optimizer.apply_gradients(pairs, skip_gradients_aggregation=True)
    elif num_replicas == 1:
        optimizer.apply_gradients(pairs)
    else:
        optimizer.apply_gradients([(g / num_replicas, v) for g, v in pairs])
