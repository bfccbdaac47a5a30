"""One sigmoid unit a class: the simplest head."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np
import tensorflow as tf

from yt8m.layers.prior_logits import prior_logits
from yt8m.layers.regularizers import slim_l2


@tf.keras.utils.register_keras_serializable(package="yt8m")
class LogisticHead(tf.keras.layers.Layer):
    """σ(W x + b) (starter code `LogisticModel`; spec A.12).

    Args:
      num_classes: K.
      l2: weight of Σw²/2 (TF-slim's scale).
      initial: "priors" lets `initialize_from_priors` act; "zeros" does not.

    Input [B, D]; output [B, K] float32.
    """

    def __init__(self, num_classes: int, l2: float = 1e-8, initial: str = "priors", **kwargs: Any):
        super().__init__(**kwargs)
        self.num_classes, self.l2, self.initial = int(num_classes), l2, initial

    def build(self, input_shape: Any) -> None:
        """Make the kernel for inputs [B, D]."""
        self.kernel = self.add_weight(
            name="kernel",
            shape=(int(input_shape[-1]), self.num_classes),
            initializer="glorot_uniform",
            regularizer=slim_l2(self.l2),
            trainable=True,
        )
        self.bias = self.add_weight(name="bias", shape=(self.num_classes,), initializer="zeros", trainable=True)
        self.built = True

    def initialize_from_priors(self, priors: np.ndarray) -> None:
        """Start the biases at the logits of the label frequencies [K]."""
        if self.initial == "priors":
            self.bias.assign(prior_logits(priors))

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return probabilities [B, K]."""
        logits = tf.cast(tf.matmul(x, tf.cast(self.kernel, x.dtype)), tf.float32)
        return tf.sigmoid(logits + tf.cast(self.bias, tf.float32))  # [B, K]

    def get_config(self) -> Dict[str, Any]:
        """Every constructor argument."""
        return {**super().get_config(), "num_classes": self.num_classes, "l2": self.l2, "initial": self.initial}
