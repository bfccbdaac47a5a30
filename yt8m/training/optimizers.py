"""Optimizers by name."""

from __future__ import annotations

import warnings
from typing import Any, Callable

import tensorflow as tf

from yt8m.compat import KERAS_3
from yt8m.errors import UserError, near_misses
from yt8m.models.core.recipe import Recipe
from yt8m.training.fused_adam import Adam, AdamW
from yt8m.training.schedule.examples_schedule import ExamplesSchedule, make_schedule

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


def make_optimizer(recipe: Recipe, total_examples: int) -> Any:
    """Return the recipe's optimizer with the recipe's schedule for a run of `total_examples`."""
    return optimizer_with(recipe, make_schedule(recipe, total_examples))


def optimizer_with(recipe: Recipe, schedule: ExamplesSchedule) -> Any:
    """Return the recipe's optimizer.

    Args:
      recipe: names the optimizer; names of the starter code, such as `AdamOptimizer`, work too.
      schedule: the learning rates.

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
    return table[found](schedule, recipe)


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
