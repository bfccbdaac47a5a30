"""One unit a class, a sigmoid each or a softmax over all: the simplest head."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.layers.heads.prior_logits import prior_logits
from yt8m.layers.regularizers import slim_l2


@tf.keras.utils.register_keras_serializable(package="yt8m")
class LogisticHead(tf.keras.layers.Layer):
    """σ(W x + b), or softmax(W x + b) (starter code `LogisticModel`, spec A.12; UTS 2.1, spec C.15).

    Args:
      num_classes: K.
      activation: "sigmoid", or "softmax" for probabilities that sum to one over the classes, as
        `SmoothedSoftmaxLoss` wants them.
      l2: weight of Σw²/2 (TF-slim's scale).
      initial: "priors" lets `initialize_from_priors` act; "zeros" does not.
      kernel_scale: of the kernel's initial variance, 1 is Glorot's. Where inputs are not of norm 1 or so, less
        of it lets the head start at the priors.

    Input [B, D]; output [B, K] float32.

    Raises:
      ValueError: another activation.
    """

    def __init__(
        self,
        num_classes: int,
        l2: float = 1e-8,
        initial: str = "priors",
        activation: str = "sigmoid",
        kernel_scale: float = 1.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if activation not in ("sigmoid", "softmax"):
            raise ValueError(f'activation is "sigmoid" or "softmax", not {activation!r}')
        self.num_classes, self.l2, self.initial, self.activation = (
            int(num_classes),
            l2,
            initial,
            activation,
        )
        self.kernel_scale = kernel_scale

    def build(self, input_shape: Any) -> None:
        """Make the kernel for inputs [B, D]."""
        self.kernel = self.add_weight(
            name="kernel",
            shape=(int(input_shape[-1]), self.num_classes),
            initializer=tf.keras.initializers.VarianceScaling(
                self.kernel_scale, "fan_avg", "uniform"
            ),
            regularizer=slim_l2(self.l2),
            trainable=True,
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.num_classes,), initializer="zeros", trainable=True
        )
        self.built = True

    def initialize_from_priors(self, priors: np.ndarray) -> None:
        """Start the biases at the label frequencies [K]; a softmax, which sums to one, at each class's share of them."""
        if self.initial != "priors":
            return
        p = np.asarray(priors, np.float64)
        self.bias.assign(
            prior_logits(p)
            if self.activation == "sigmoid"
            else np.log(np.maximum(p / p.sum(), 1e-9)).astype(np.float32)
        )

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return probabilities [B, K]."""
        logits = tf.cast(tf.matmul(x, tf.cast(self.kernel, x.dtype)), tf.float32)
        logits = logits + tf.cast(self.bias, tf.float32)  # [B, K]
        return tf.sigmoid(logits) if self.activation == "sigmoid" else tf.nn.softmax(logits)

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        names = ("num_classes", "l2", "initial", "activation", "kernel_scale")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
