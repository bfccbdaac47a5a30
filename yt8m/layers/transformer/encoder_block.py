"""One block of a transformer encoder, with the normalization before each part."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from yt8m.layers.base import Yt8mLayer
from yt8m.layers.flat_product import flat_product
from yt8m.layers.normalisation.layer_norm import LayerNorm
from yt8m.layers.transformer.multi_head import attend


class EncoderBlock(Yt8mLayer):
    """x + A(LN(x)), then x + M(LN(x)): self-attention A and a network M with one hidden layer.

    Source: Vaswani et al. 2017 with the normalization of Xiong et al. 2020
    (docs/sources.md#transformer).

    Args:
      heads: heads of the attention; they divide the width W.
      hidden_size: width of the hidden layer of M, which ends in GELU, computed by tanh.
      dropout: rate after A and after M in training.

    Call: (x [B, T, W], mask=bool [B, T] or None, training) -> [B, T, W].

    Raises:
      ValueError: the number of heads does not divide the width.
    """

    def __init__(
        self, heads: int = 8, hidden_size: int = 2048, dropout: float = 0.1, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.heads, self.hidden_size, self.dropout = int(heads), int(hidden_size), dropout
        self.attention_norm, self.mlp_norm = LayerNorm(name="norm_1"), LayerNorm(name="norm_2")
        self.attention_drop = tf.keras.layers.Dropout(dropout, name="drop_1")
        self.mlp_drop = tf.keras.layers.Dropout(dropout, name="drop_2")

    def build(self, input_shape: Any) -> None:
        """Create the kernels and biases of A and M."""
        width, hidden = int(input_shape[-1]), self.hidden_size
        if width % self.heads:
            raise ValueError(f"heads={self.heads} must divide the width, {width}")
        for norm in (self.attention_norm, self.mlp_norm):
            norm.build((None, None, width))
        # Queries, keys and values come from one product.
        shapes = {"qkv": (width, 3 * width), "out": (width, width)}
        shapes.update({"up": (width, hidden), "down": (hidden, width)})
        for name, shape in shapes.items():
            setattr(self, f"{name}_kernel", self.new_weight(f"{name}_kernel", shape))
            setattr(self, f"{name}_bias", self.new_weight(f"{name}_bias", shape[1:], "zeros"))
        self.built = True

    def call(self, x: tf.Tensor, mask: tf.Tensor | None = None, training: Any = None) -> tf.Tensor:
        """Return the block's output [B, T, W]."""
        y = flat_product(self.attention_norm(x), self.qkv_kernel, self.qkv_bias)
        queries, keys, values = tf.split(y, 3, axis=-1)
        y = attend(queries, keys, values, self.heads, mask)
        y = flat_product(y, self.out_kernel, self.out_bias)
        x = x + self.attention_drop(y, training=training)
        y = flat_product(self.mlp_norm(x), self.up_kernel, self.up_bias)
        y = flat_product(_gelu(y), self.down_kernel, self.down_bias)
        return x + self.mlp_drop(y, training=training)


def _gelu(x: tf.Tensor) -> tf.Tensor:
    """Return GELU by tanh (Hendrycks and Gimpel 2016); not every export format has erf and erfc."""
    return 0.5 * x * (1.0 + tf.tanh((2.0 / math.pi) ** 0.5 * (x + 0.044715 * x * x * x)))
