"""Optimisers by name, and learning-rate schedules that count examples, not steps."""

from __future__ import annotations

import math
import warnings
from typing import Any, Callable

import tensorflow as tf

from yt8m.compat import KERAS_3
from yt8m.errors import UserError, near_misses
from yt8m.models.core.recipe import Recipe


@tf.keras.utils.register_keras_serializable(package="yt8m")
class ExamplesSchedule(tf.keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate by examples seen, so that it does not change with the batch size.

    Args:
      base: learning rate after the warm-up.
      kind: "cosine" (to zero at `total_examples`), "exponential" (the starter code's staircase:
        x `decay` every `decay_examples`), "exponential_continuous" (the same without steps, UTS', spec C.0) or "constant".
      batch_size: examples a step.
      total_examples: of the whole run; only the cosine uses it.
      warmup_examples: linear warm-up from zero.
    """

    def __init__(
        self,
        base: float,
        kind: str,
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
        """Return the learning rate of the step that begins after `step` steps."""
        examples = tf.cast(step, tf.float32) * float(self.batch_size)
        rate = tf.constant(self.base, tf.float32)
        if self.kind == "cosine":
            rate *= 0.5 * (
                1.0
                + tf.cos(math.pi * tf.minimum(1.0, examples / max(1.0, float(self.total_examples))))
            )
        elif self.kind == "exponential":
            rate *= tf.pow(self.decay, tf.floor(examples / self.decay_examples))
        elif self.kind == "exponential_continuous":
            rate *= tf.pow(self.decay, examples / self.decay_examples)
        if self.warmup_examples:
            rate *= tf.minimum(1.0, (examples + self.batch_size) / self.warmup_examples)
        return rate

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return dict(vars(self))


def _native() -> dict[str, Callable[[Any, Recipe], Any]]:
    keras = tf.keras.optimizers
    table = {
        # Epsilon 1e-8 is TensorFlow 1's, which both papers and the starter code ran with; Keras has 1e-7.
        "Adam": lambda rate, r: keras.Adam(rate, epsilon=1e-8),
        "AdamW": lambda rate, r: keras.AdamW(rate, weight_decay=r.weight_decay, epsilon=1e-8),
        "SGD": lambda rate, r: keras.SGD(rate, momentum=0.9),
        # The rest are those of TensorFlow 1, whose names the starter code took; SGD without momentum among them.
        "GradientDescent": lambda rate, r: keras.SGD(rate),
        "Adagrad": lambda rate, r: keras.Adagrad(rate),
        "Adadelta": lambda rate, r: keras.Adadelta(rate),
        "Ftrl": lambda rate, r: keras.Ftrl(rate),
        "RMSprop": lambda rate, r: keras.RMSprop(rate),
    }
    if hasattr(keras, "Lamb"):
        table["LAMB"] = lambda rate, r: keras.Lamb(rate, weight_decay=r.weight_decay or None)
    return table


def _from_addons() -> dict[str, Callable[[Any, Recipe], Any]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its end-of-life notice, which a user cannot act on
            import tensorflow_addons as tfa
    except ImportError:
        return {}
    table = {
        name: (lambda rate, r, cls=getattr(tfa.optimizers, name): cls(rate))
        for name in ("LazyAdam", "RectifiedAdam", "Yogi", "NovoGrad")
    }
    table["LAMB"] = lambda rate, r: tfa.optimizers.LAMB(rate, weight_decay=r.weight_decay)
    return table


def available() -> list[str]:
    """Return the names of the optimisers that this machine's packages offer."""
    return sorted({**_from_addons(), **_native()})


def decays(name: str) -> bool:
    """Whether the optimiser called `name` knows a weight decay."""
    return name.lower().removesuffix("optimizer") in ("adamw", "lamb")


def make_schedule(recipe: Recipe, total_examples: int) -> ExamplesSchedule:
    """Return the recipe's learning rate over a run of `total_examples`."""
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
    """Return the recipe's optimiser with its schedule; `AdamOptimizer` and the like work as in the starter code.

    Raises:
      UserError: the name is unknown, or only tensorflow-addons has it and that is not installed.
    """
    name = recipe.optimizer
    table = {**_from_addons(), **_native()}
    short = name[: -len("Optimizer")] if name.endswith("Optimizer") else name
    if short.lower() == "momentum":
        short = "SGD"
    found = {k.lower(): k for k in table}.get(short.lower())
    if found is None:
        hint = ""
        if short.lower() in ("lazyadam", "rectifiedadam", "yogi", "novograd"):
            hint = " It comes with tensorflow-addons, which exists for Python up to 3.11 and TensorFlow 2.15 only."
        raise UserError(
            f"--optimizer={name} is not known here: {', '.join(sorted(table))}.{near_misses(name, table)}{hint}"
        )
    return table[found](make_schedule(recipe, total_examples), recipe)


def prepare(optimizer: Any, variables: list[Any]) -> None:
    """Create the optimiser's slots now, so that a checkpoint can be restored into them before the first step."""
    if hasattr(optimizer, "build"):
        optimizer.build(variables)
    else:  # tensorflow-addons: legacy optimisers
        optimizer._create_all_weights(variables)


def apply_reduced(
    optimizer: Any, gradients: list[tf.Tensor], variables: list[Any], num_replicas: int
) -> None:
    """Apply gradients that are already summed over replicas, on whichever kind of optimiser; call in replica context.

    Keras 3 always sums over replicas itself and cannot be told not to, so each replica hands it
    its share; Keras 2's and tensorflow-addons' optimisers have an argument for it.
    """
    if not isinstance(optimizer, tf.keras.optimizers.Optimizer):
        optimizer.apply_gradients(zip(gradients, variables), experimental_aggregate_gradients=False)
    elif KERAS_3:
        if num_replicas > 1:
            gradients = [g / num_replicas for g in gradients]
        optimizer.apply_gradients(zip(gradients, variables))
    else:
        optimizer.apply_gradients(zip(gradients, variables), skip_gradients_aggregation=True)
