"""The exponential moving average of the weights, which is evaluated and saved.

Keras' own `use_ema` has no warm-up, and overwrites the weights at the end of `fit`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from yt8m.compat import tf_variable

# Elements of a variable whose pass over the memory of a CPU costs more than compiling it.
LARGE = 1 << 20


class WeightAverage(tf.Module):
    """Averages with decay min(decay, (1 + t) / (10 + t)) after t steps.

    Source: the UTS code; see `docs/sources.md#weight-average`. Make it under the strategy's scope.

    Args:
      variables: Keras 2 or 3 variables.
      decay: the final decay; with 0 it holds nothing and changes nothing.
    """

    def __init__(self, variables: list[Any], decay: float):
        super().__init__()
        self.decay = float(decay)
        self._variables = [tf_variable(v) for v in variables] if decay else []
        self.shadows = [
            tf.Variable(v, trainable=False, name=f"average_{i}")
            for i, v in enumerate(self._variables)
        ]

    def reset(self) -> None:
        """Start from the variables' current values."""
        for shadow, variable in zip(self.shadows, self._variables):
            shadow.assign(variable)

    def update(self, strategy: tf.distribute.Strategy, step: tf.Tensor) -> None:
        """Move the averages after step `step` (counted from 1); call in cross-replica context."""
        t = tf.cast(step, tf.float32)
        rate = 1.0 - tf.minimum(self.decay, (1.0 + t) / (10.0 + t))
        for shadow, variable in zip(self.shadows, self._variables):
            strategy.extended.update(shadow, _move, args=(variable, rate))

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Within this context, the variables have their averages as values."""
        trained = [tf.identity(v) for v in self._variables]
        for variable, shadow in zip(self._variables, self.shadows):
            variable.assign(shadow)
        try:
            yield
        finally:
            for variable, value in zip(self._variables, trained):
                variable.assign(value)


def _move(shadow: tf.Variable, variable: tf.Variable, rate: tf.Tensor) -> None:
    """Move an average by the share `rate` towards its variable, in one pass if they are large."""
    # A tensor, because a compiled function does not take the variables of mixed precision.
    value = tf.convert_to_tensor(variable)
    if "CPU" in shadow.device and shadow.shape.num_elements() >= LARGE:
        # As three operations, this would write two tensors of the variable's size on the way.
        compiled = tf.function(_move_by, jit_compile=True)
        compiled.get_concrete_function(shadow, value, rate)(shadow, value, rate)
    else:
        _move_by(shadow, value, rate)


def _move_by(shadow: tf.Variable, value: tf.Tensor, rate: tf.Tensor) -> None:
    shadow.assign_sub(rate * (shadow - value))
