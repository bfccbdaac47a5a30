"""Attention pooling: several learned weighted means over time, side by side."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.base import Yt8mLayer
from yt8m.layers.masks import masked_softmax


class AttentionPooling(Yt8mLayer):
    """A = softmax over T of W_a · tanh(W_i · Xᵀ + b_i); the output is A · X, flattened.

    Source: UTS eq. 3 (docs/sources.md#attention-pooling).

    Args:
      hops: rows of A.
      projection: width of W_i.

    Call: (x [B, T, D], mask=bool [B, T] or None) -> [B, hops · D]. A video without frames gives the
    mean of its padding.
    """

    def __init__(self, hops: int = 5, projection: int = 100, **kwargs: Any):
        super().__init__(**kwargs)
        self.hops, self.projection = hops, projection

    def build(self, input_shape: Any) -> None:
        """Create W_i [D, projection], its bias, and W_a [projection, hops]."""
        self.w_i = self.new_weight("w_i", (int(input_shape[-1]), self.projection))
        self.b_i = self.new_weight("b_i", (self.projection,), "zeros")
        self.w_a = self.new_weight("w_a", (self.projection, self.hops))
        self.built = True

    def call(self, x: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Return the pooled frames [B, hops · D]."""
        w_i, b_i, w_a = (tf.cast(w, x.dtype) for w in (self.w_i, self.b_i, self.w_a))
        hidden = tf.tanh(tf.einsum("btd,dp->btp", x, w_i) + b_i)
        scores = tf.einsum("btp,ph->bth", hidden, w_a)  # [B, T, hops]
        attention = tf.cast(masked_softmax(scores, mask, axis=1), x.dtype)
        pooled = tf.einsum("bth,btd->bhd", attention, x)  # [B, hops, D]
        return tf.reshape(pooled, [-1, self.hops * int(x.shape[-1])])
