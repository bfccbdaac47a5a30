"""The simplest head: one unit per class, with a sigmoid or with a softmax over all classes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m.errors import one_of
from yt8m.layers.base import Yt8mLayer
from yt8m.layers.heads.prior_logits import Initial, prior_logits
from yt8m.layers.regularizers import slim_l2

Activation = Literal["sigmoid", "softmax"]


class LogisticHead(Yt8mLayer):
    """σ(W x + b), or softmax(W x + b).

    Source: the starter code's `LogisticModel` (docs/sources.md#logistic-models); UTS 2.1
    (docs/sources.md#smoothed-softmax).

    Args:
      num_classes: K.
      l2: weight of Σw²/2 of the kernel (the scale of TF-slim).
      initial: "priors" lets `initialize_from_priors` act; "zeros" does not.
      activation: "sigmoid"; or "softmax", whose probabilities sum to one over the classes, as
        `SmoothedSoftmaxLoss` needs.
      kernel_scale: variance of the initial kernel, relative to Glorot's. Where the norm of inputs
        is far above 1, a smaller one lets the head start at the priors.

    Call: (x [B, D], as_logits) -> probabilities, or W x + b, float32 [B, K].

    Raises:
      ValueError: the activation is unknown.
    """

    def __init__(
        self,
        num_classes: int,
        l2: float = 1e-8,
        initial: Initial = "priors",
        activation: Activation = "sigmoid",
        kernel_scale: float = 1.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.activation = one_of("activation", activation, Activation)
        self.num_classes, self.l2, self.initial = int(num_classes), l2, initial
        self.kernel_scale = kernel_scale

    def build(self, input_shape: Any) -> None:
        """Create the kernel [D, K] and the bias [K]."""
        uniform = tf.keras.initializers.VarianceScaling(self.kernel_scale, "fan_avg", "uniform")
        shape = (int(input_shape[-1]), self.num_classes)
        self.kernel = self.new_weight("kernel", shape, uniform, regularizer=slim_l2(self.l2))
        self.bias = self.new_weight("bias", (self.num_classes,), "zeros")
        self.built = True

    def initialize_from_priors(self, priors: NDArray[Any]) -> None:
        """Set the biases by the label frequencies [K], or for a softmax by each class's share."""
        if self.initial != "priors":
            return
        if self.activation == "sigmoid":
            self.bias.assign(prior_logits(priors))
            return
        p = np.asarray(priors, np.float64)
        self.bias.assign(np.log(np.maximum(p / p.sum(), 1e-9)).astype(np.float32))

    def call(self, x: tf.Tensor, as_logits: bool = False) -> tf.Tensor:
        """Return probabilities, or with `as_logits` what they are computed from, [B, K]."""
        logits = tf.cast(tf.matmul(x, tf.cast(self.kernel, x.dtype)), tf.float32)
        logits = logits + tf.cast(self.bias, tf.float32)  # [B, K]
        if as_logits:
            return logits
        return tf.sigmoid(logits) if self.activation == "sigmoid" else tf.nn.softmax(logits)
