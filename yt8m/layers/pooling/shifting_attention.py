"""A cluster of attention units over the frames, each shifted and scaled to a length of its own."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.base import Yt8mLayer
from yt8m.layers.flat_product import flat_product
from yt8m.layers.masks import masked_softmax


class ShiftingAttention(Yt8mLayer):
    """Weighted means g_n = Σ_t a_nt x_t as (α_n g_n + β_n) / (√N ‖α_n g_n + β_n‖), side by side.

    Source: Long et al. 2018 (docs/sources.md#attention-clusters).

    The weights a_nt of unit n are a softmax over T of w_n · x_t + b_n. The numbers α_n and β_n
    shift the units apart, all of which have the length 1/√N.

    Args:
      units: N.

    Call: (x [B, T, D], mask=bool [B, T] or None) -> [B, N · D]. A video without frames has the
    shifted mean of its padding.
    """

    def __init__(self, units: int = 32, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = int(units)

    def build(self, input_shape: Any) -> None:
        """Create the weights [D, N] and [N] of the scores, and α and β [N]."""
        # The published deviation; the variance is 1/√N. One initializer would give α = β.
        alpha, beta = (tf.keras.initializers.RandomNormal(stddev=self.units**-0.25) for _ in "αβ")
        kernel = tf.keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")
        self.kernel = self.new_weight("kernel", (int(input_shape[-1]), self.units), kernel)
        self.bias = self.new_weight("bias", (self.units,), "zeros")
        self.alpha = self.new_weight("alpha", (self.units,), alpha)
        self.beta = self.new_weight("beta", (self.units,), beta)
        self.built = True

    def call(self, x: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Return the units' vectors [B, N · D]."""
        scores = flat_product(x, self.kernel, self.bias)  # [B, T, N]
        weights = tf.cast(masked_softmax(scores, mask, axis=1), x.dtype)
        pooled = tf.cast(tf.matmul(weights, x, transpose_a=True), tf.float32)  # [B, N, D]
        alpha, beta = (tf.cast(w, tf.float32)[None, :, None] for w in (self.alpha, self.beta))
        shifted = tf.math.l2_normalize(alpha * pooled + beta, axis=-1) * self.units**-0.5
        width = self.units * int(x.shape[-1])
        return tf.cast(tf.reshape(shifted, [-1, width]), x.dtype)
