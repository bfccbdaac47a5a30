"""Context gating: every unit is scaled by a gate that depends on all units."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.base import Yt8mLayer
from yt8m.layers.normalisation.batch_norm import batch_norm


class ContextGating(Yt8mLayer):
    """y = σ(BN(W x)) ∘ x, or σ(W x + b) ∘ x.

    Source: KDD §3.1.1 (docs/sources.md#context-gating).

    Args:
      add_batch_norm: normalise instead of adding a bias, as in the first published code of the
        gate.

    Call: (x [..., D], mask=bool [...] or None for the statistics, training) -> [..., D].
    """

    def __init__(self, add_batch_norm: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.add_batch_norm = add_batch_norm

    def build(self, input_shape: Any) -> None:
        """Create W [D, D], and b or the weights of the normalisation."""
        width = int(input_shape[-1])
        self.dense = tf.keras.layers.Dense(width, use_bias=not self.add_batch_norm, name="dense")
        self.dense.build(input_shape)
        if self.add_batch_norm:
            self.norm = batch_norm("norm")
            self.norm.build(input_shape)
        self.built = True

    def call(self, x: tf.Tensor, mask: Any = None, training: Any = None) -> tf.Tensor:
        """Return the gated input."""
        gate = self.dense(x)
        if self.add_batch_norm:
            gate = self.norm(gate, mask=mask, training=training)
        return tf.sigmoid(gate) * x
