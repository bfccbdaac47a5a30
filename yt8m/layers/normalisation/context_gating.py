"""Context gating: a layer that lets each unit be turned down by all the others."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.normalisation.batch_norm import batch_norm


@tf.keras.utils.register_keras_serializable(package="yt8m")
class ContextGating(tf.keras.layers.Layer):
    """y = σ(W x) ∘ x with batch normalisation inside the σ, or σ(W x + b) ∘ x (KDD §3.1.1; spec D.2).

    Args:
      add_batch_norm: normalise in place of the bias, as in the gating's first published code.

    Input [..., D] with an optional `mask` for the statistics; output the same shape.
    """

    def __init__(self, add_batch_norm: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True  # given by keyword; without this Keras 3 warns that it is lost
        self.add_batch_norm = add_batch_norm

    def build(self, input_shape: Any) -> None:
        """Make W [D, D]."""
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

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """No mask goes on with the output: each layer is given its own."""

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {**super().get_config(), "add_batch_norm": self.add_batch_norm}
