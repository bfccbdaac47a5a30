"""Attention pooling: several learned weighted means over time, side by side."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="yt8m")
class AttentionPooling(tf.keras.layers.Layer):
    """A = softmax_T(W_a · tanh(W_i · Xᵀ)), output flatten(A · X) (UTS eq. 3; spec C.13).

    Args:
      hops: rows of A.
      projection: width of W_i.

    Input [B, T, D] with `mask` bool [B, T]; output [B, hops · D]. A video without frames gives the mean of its padding.
    """

    def __init__(self, hops: int = 5, projection: int = 100, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True  # given by keyword; without this Keras 3 warns that it is lost
        self.hops, self.projection = hops, projection

    def build(self, input_shape: Any) -> None:
        """Make W_i [D, projection], with a bias, and W_a [projection, hops]."""
        width = int(input_shape[-1])
        self.w_i = self.add_weight(
            name="w_i", shape=(width, self.projection), initializer="glorot_uniform", trainable=True
        )
        self.b_i = self.add_weight(
            name="b_i", shape=(self.projection,), initializer="zeros", trainable=True
        )
        self.w_a = self.add_weight(
            name="w_a",
            shape=(self.projection, self.hops),
            initializer="glorot_uniform",
            trainable=True,
        )
        self.built = True

    def call(self, x: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Return the pooled frames [B, hops · D]."""
        w_i, b_i, w_a = (tf.cast(w, x.dtype) for w in (self.w_i, self.b_i, self.w_a))
        hidden = tf.tanh(tf.einsum("btd,dp->btp", x, w_i) + b_i)
        scores = tf.cast(tf.einsum("btp,ph->bth", hidden, w_a), tf.float32)  # [B, T, hops]
        if mask is not None:
            scores = tf.where(mask[:, :, None], scores, -1e9)
        attention = tf.cast(tf.nn.softmax(scores, axis=1), x.dtype)
        pooled = tf.einsum("bth,btd->bhd", attention, x)  # [B, hops, D]
        return tf.reshape(pooled, [-1, self.hops * int(x.shape[-1])])

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """No mask goes on with the output: each layer is given its own."""

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {**super().get_config(), "hops": self.hops, "projection": self.projection}
