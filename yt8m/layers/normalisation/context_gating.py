"""Context gating: every unit is scaled by a gate that depends on all units."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.base import Yt8mLayer
from yt8m.layers.normalisation.batch_norm import batch_norm


class ContextGating(Yt8mLayer):
    """y = σ(BN(W x)) ∘ x, or σ(W x + b) ∘ x, or σ(W₂ ReLU(BN(W x))) ∘ x.

    Source: KDD §3.1.1 (docs/sources.md#context-gating); the third form is that of NeXtVLAD
    (docs/sources.md#nextvlad).

    Args:
      add_batch_norm: normalise instead of adding a bias, as in the first published code of the
        gate.
      reduction: r of the third form, in which W is [D, D/r] and W₂ is [D/r, D]; 0 is the others.
      stddev: standard deviation of the initial W of the first two forms; 0 is Glorot's initializer.

    Call: (x [..., D], mask=bool [...] or None for the statistics, training) -> [..., D].
    """

    def __init__(
        self, add_batch_norm: bool = True, reduction: int = 0, stddev: float = 0.0, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.add_batch_norm, self.reduction, self.stddev = add_batch_norm, int(reduction), stddev

    def build(self, input_shape: Any) -> None:
        """Create W [D, D], and b or the weights of the normalisation; or W, W₂ and these."""
        width = int(input_shape[-1])
        inner = max(1, width // self.reduction) if self.reduction else width
        self.dense = self._dense(inner, "dense", not self.add_batch_norm)
        self.dense.build(input_shape)
        inner_shape = (*input_shape[:-1], inner)
        if self.add_batch_norm:
            self.norm = batch_norm("norm")
            self.norm.build(inner_shape)
        if self.reduction:
            self.expand = self._dense(width, "expand", False)
            self.expand.build(inner_shape)
        self.built = True

    def _dense(self, units: int, name: str, use_bias: bool) -> tf.keras.layers.Dense:
        initializer: Any = "he_normal" if self.reduction else "glorot_uniform"
        if self.stddev and not self.reduction:
            initializer = tf.keras.initializers.RandomNormal(stddev=self.stddev)
        return tf.keras.layers.Dense(
            units, use_bias=use_bias, kernel_initializer=initializer, name=name
        )

    def gates(self, x: tf.Tensor, mask: Any = None, training: Any = None) -> tf.Tensor:
        """Return the gates [..., D] of x."""
        gate = self.dense(x)
        if self.add_batch_norm:
            gate = self.norm(gate, mask=mask, training=training)
        return tf.sigmoid(self.expand(tf.nn.relu(gate)) if self.reduction else gate)

    def call(self, x: tf.Tensor, mask: Any = None, training: Any = None) -> tf.Tensor:
        """Return the gated input."""
        return self.gates(x, mask=mask, training=training) * x
