"""Layer normalization of the last axis, computed in float32."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.base import Yt8mLayer


class LayerNorm(Yt8mLayer):
    """γ (x − mean) / √(variance + ε) + β with the moments of each vector.

    Source: Ba, Kiros and Hinton 2016.

    Args:
      epsilon: ε.

    Call: x [..., D] -> [..., D] in the compute dtype.
    """

    def __init__(self, epsilon: float = 1e-6, **kwargs: Any):
        super().__init__(**kwargs)
        self.epsilon = float(epsilon)

    def build(self, input_shape: Any) -> None:
        """Create γ and β [D]."""
        shape = (int(input_shape[-1]),)
        self.gamma = self.new_weight("gamma", shape, "ones")
        self.beta = self.new_weight("beta", shape, "zeros")
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return the normalized vectors."""
        x = tf.cast(x, tf.float32)
        x = x - tf.reduce_mean(x, axis=-1, keepdims=True)
        variance = tf.reduce_mean(tf.square(x), axis=-1, keepdims=True)
        x = x * tf.math.rsqrt(variance + self.epsilon)
        x = x * tf.cast(self.gamma, tf.float32) + tf.cast(self.beta, tf.float32)
        return tf.cast(x, self.compute_dtype)
