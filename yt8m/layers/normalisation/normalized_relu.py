"""A fully connected layer with batch normalization, ReLU and dropout, on every frame."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.base import Yt8mLayer
from yt8m.layers.flat_product import flat_product
from yt8m.layers.normalisation.batch_norm import batch_norm


class NormalizedRelu(Yt8mLayer):
    """dropout(ReLU(BN(W x + b))).

    Source: Kong et al. 2019 (docs/sources.md#attention-networks-of-audioset). Batch normalization
    removes the constant b, so that no gradient reaches b in training. It is here because the
    published network has it, and it enters only the moving mean.

    Args:
      units: width of the output.
      dropout: rate in training.

    Call: (x [..., D], mask=bool [...] or None for the statistics, training) -> [..., units].
    """

    def __init__(self, units: int = 1024, dropout: float = 0.5, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = int(units)
        self.norm = batch_norm("norm")
        self.drop = tf.keras.layers.Dropout(dropout, name="drop")
        self.dropout = dropout

    def build(self, input_shape: Any) -> None:
        """Create W [D, units], b, and the weights of the normalization."""
        self.kernel = self.new_weight("kernel", (int(input_shape[-1]), self.units))
        self.bias = self.new_weight("bias", (self.units,), "zeros")
        self.norm.build((None, self.units))
        self.built = True

    def call(self, x: tf.Tensor, mask: Any = None, training: Any = None) -> tf.Tensor:
        """Return the layer's output."""
        y = flat_product(x, self.kernel)
        shift = tf.cast(self.bias, tf.float32)
        y = tf.nn.relu(self.norm(y, mask=mask, training=training, shift=shift))
        return self.drop(y, training=training)
