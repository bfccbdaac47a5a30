"""The logistic classifier: one weight vector and one bias a class."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np
import tensorflow as tf

from yt8m.layers.priors import check_initial, check_priors, logit
from yt8m.layers.regularizers import slim_l2


@tf.keras.utils.register_keras_serializable(package="yt8m")
class LogisticHead(tf.keras.layers.Layer):
    """sigmoid(x W + b) (starter code, LogisticModel).

    Args:
      num_classes: K.
      l2: of W, on TF-slim's scale (l2 * sum w^2 / 2).
      initial: "priors" lets `initialize_from_priors` set the bias; "zeros" leaves it (the starter's way).

    Call: [..., D] -> probabilities [..., K], float32 under every dtype policy.
    """

    def __init__(self, num_classes: int, l2: float = 1e-8, initial: str = "priors", **kwargs: Any):
        super().__init__(**kwargs)
        self.num_classes = int(num_classes)
        self.l2 = float(l2)
        self.initial = check_initial(initial)

    def build(self, input_shape: Any) -> None:
        """Make W [D, K] and b [K]."""
        self.kernel = self.add_weight(
            name="kernel",
            shape=(int(input_shape[-1]), self.num_classes),
            initializer="glorot_uniform",
            regularizer=slim_l2(self.l2),
        )
        self.bias = self.add_weight(name="bias", shape=(self.num_classes,), initializer="zeros")
        super().build(input_shape)

    def call(self, x: Any) -> tf.Tensor:
        """Return the probabilities."""
        product = tf.matmul(x, tf.cast(self.kernel, self.compute_dtype))  # [..., K]
        # In float32: a bias near -7 in bfloat16 would be a class's probability to one digit.
        return tf.sigmoid(tf.cast(product, tf.float32) + tf.cast(self.bias, tf.float32))

    def initialize_from_priors(self, priors: np.ndarray) -> None:
        """Set b so that the layer predicts the label frequencies `priors` [K]; nothing if initial is "zeros"."""
        if self.initial == "priors":
            self.bias.assign(logit(check_priors(priors, self.num_classes)))

    def get_config(self) -> Dict[str, Any]:
        """Every constructor argument."""
        return {**super().get_config(), "num_classes": self.num_classes, "l2": self.l2, "initial": self.initial}
