"""Adam and AdamW as Keras has them, with an update that passes over the weights only once.

Keras writes an update as a dozen operations, each of which reads and writes tensors of the size of
the weights. TensorFlow has one operation for all of it, with kernels for CPUs, GPUs and XLA. With
gradient g, weight w, moments m and v, learning rate η, and t counted from 1:

    m ← m + (1 − β₁)(g − m)
    v ← v + (1 − β₂)(g² − v)
    w ← w − η √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε)

The state is that of Keras, under the same names, so that either resumes the other's checkpoints.
Its v differs by 1.3e-5 in relative terms: this operation, which is also the Adam of TensorFlow 1,
subtracts β₂ from 1 in float32, and Keras in float64.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.compat import tf_variable, variable_index


class _OnePass:
    """Replaces the update of Keras' `Adam` or `AdamW`; what surrounds it stays."""

    def update_step(
        self: Any, gradient: tf.Tensor, variable: Any, learning_rate: Any = None
    ) -> None:
        """Update one variable and its moments.

        Args:
          gradient: that of the variable, dense.
          variable: what to update.
          learning_rate: a scalar; Keras 2 passes none, and keeps it in an attribute.
        """
        rate = self.learning_rate if learning_rate is None else learning_rate
        index = variable_index(self, variable)
        dtype = variable.dtype
        step = tf.cast(tf_variable(self.iterations) + 1, dtype)
        beta_1, beta_2 = tf.cast(self.beta_1, dtype), tf.cast(self.beta_2, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=tf_variable(variable).handle,
            m=tf_variable(self._momentums[index]).handle,
            v=tf_variable(self._velocities[index]).handle,
            beta1_power=tf.pow(beta_1, step),
            beta2_power=tf.pow(beta_2, step),
            lr=tf.cast(rate, dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.cast(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )


class Adam(_OnePass, tf.keras.optimizers.Adam):
    """Adam; its arguments are those of `tf.keras.optimizers.Adam`, but without `amsgrad`."""


class AdamW(_OnePass, tf.keras.optimizers.AdamW):
    """AdamW, whose decay w ← w − ηλw comes first; its arguments are those of Keras' `AdamW`."""
