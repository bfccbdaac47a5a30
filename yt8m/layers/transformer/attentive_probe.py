"""Pooling by one learned query that attends to all frames with several heads."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.base import Yt8mLayer
from yt8m.layers.flat_product import flat_product
from yt8m.layers.transformer.multi_head import attend


class AttentiveProbe(Yt8mLayer):
    """softmax(q Kᵀ / √d) V of each head for a learned query q, side by side, times a kernel.

    Source: docs/sources.md#transformer.

    Args:
      heads: number of heads; they divide the width W.

    Call: (x [B, T, W], mask=bool [B, T] or None) -> [B, W]. A video without frames has the mean of
    its padding.
    """

    def __init__(self, heads: int = 8, **kwargs: Any):
        super().__init__(**kwargs)
        self.heads = int(heads)

    def build(self, input_shape: Any) -> None:
        """Create q [W], and the kernels and biases of keys, values and output."""
        width = int(input_shape[-1])
        if width % self.heads:
            raise ValueError(f"heads={self.heads} must divide the width, {width}")
        normal = tf.keras.initializers.RandomNormal(stddev=1.0)
        self.query = self.new_weight("query", (width,), normal)
        self.kv_kernel = self.new_weight("kv_kernel", (width, 2 * width))
        self.kv_bias = self.new_weight("kv_bias", (2 * width,), "zeros")
        self.out_kernel = self.new_weight("out_kernel", (width, width))
        self.out_bias = self.new_weight("out_bias", (width,), "zeros")
        self.built = True

    def call(self, x: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Return the pooled frames [B, W]."""
        keys, values = tf.split(flat_product(x, self.kv_kernel, self.kv_bias), 2, axis=-1)
        query = tf.cast(self.query, x.dtype)[None, None, :]
        queries = tf.broadcast_to(query, [tf.shape(x)[0], 1, int(x.shape[-1])])
        pooled = attend(queries, keys, values, self.heads, mask)[:, 0]
        return flat_product(pooled, self.out_kernel, self.out_bias)
