"""A program: a function that is compiled as a whole, its data, and the variables that it uses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, Literal

import tensorflow as tf

from yt8m.compat import tf_variable
from yt8m.models.core.base import Yt8mModel

# What an argument of a program is. "weight" is trained, "statistic" is a moving one of batch
# normalization, "seed" is the state of random draws, "optimizer" is a moment or a count of the
# optimizer, "average" is the average of a weight, "step" counts the steps, "sums" are the sums over
# steps that training reports, and "constant" has a fixed value.
Role = Literal[
    "data", "weight", "statistic", "seed", "optimizer", "average", "step", "sums", "constant"
]
Variables = list[tuple[Role, tf.Variable]]
Batch = dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Program:
    """One program of a model.

    Attributes:
      model: the model's registered name.
      name: "train", "evaluate", "predict", "step2" or "step3".
      function: a `tf.function` for XLA that takes the data, one argument for each of `specs`.
      specs: the data by name, in order.
      outputs: names of what the function returns, in order; what it assigns to variables is not
        among them.
      variables: every variable that the function may use.
      examples: videos in one call, over all replicas.
      num_frames: T, or 0 for video-level data.
      dtype: the type of the computation.
      replicas: on how many replicas a step runs; `specs` are those of one of them.
      about: what the program is, in a few words.
    """

    model: str
    name: str
    function: Any
    specs: dict[str, tf.TensorSpec]
    outputs: tuple[str, ...]
    variables: Variables
    examples: int
    num_frames: int
    dtype: str
    replicas: int = 1
    about: str = ""


def compiled(function: Callable[[Batch], Any], specs: Iterable[str]) -> Any:
    """Return a `tf.function` for XLA of the data in order, from a function of a dictionary."""
    names = tuple(specs)
    return tf.function(lambda *data: function(dict(zip(names, data))), jit_compile=True)


def variables_of(model: Yt8mModel) -> Variables:
    """Return a model's variables with their roles."""
    trained = {id(tf_variable(v)) for v in model.trainable_variables}
    # In Keras 3, `variables` has the seeds of dropout too, and `weights` has not.
    return [(_role(tf_variable(v), trained), tf_variable(v)) for v in model.variables]


def _role(variable: tf.Variable, trained: set[int]) -> Role:
    if id(variable) in trained:
        return "weight"
    return "statistic" if variable.dtype.is_floating else "seed"
