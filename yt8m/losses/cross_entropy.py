"""The loss of both papers and of the starter code: binary cross-entropy of every class, on probabilities."""

from __future__ import annotations

from typing import Any, Optional

import tensorflow as tf

from yt8m.losses.registry import Loss, register, sum_over_classes


@register("CrossEntropyLoss", "cross_entropy", "BinaryCrossEntropyLoss")
class CrossEntropyLoss(Loss):
    """-sum_c [ y_c log(p_c + eps) + (1 - y_c) log(1 - p_c + eps) ] (starter code, with eps = 1e-5).

    Args:
      epsilon: added inside both logarithms; it bounds the loss of a class at -log(eps) = 11.5.
    """

    def __init__(self, epsilon: float = 1e-5):
        self.epsilon = float(epsilon)

    def __call__(self, labels: Any, predictions: Any, weights: Optional[Any] = None) -> tf.Tensor:
        """Return the loss of each video, [B], float32."""
        hard = not tf.as_dtype(labels.dtype).is_floating
        y = tf.cast(labels, tf.float32)  # [B, K]
        p = tf.cast(predictions, tf.float32)
        if hard:
            # One logarithm instead of two: it is the costly operation here, and for a label of 0 or 1
            # the other one is multiplied by 0. The probability of the label: p where y = 1, 1 - p where y = 0.
            right = (1.0 - y) + (2.0 * y - 1.0) * p
            return sum_over_classes(-tf.math.log(right + self.epsilon), weights)
        terms = y * tf.math.log(p + self.epsilon) + (1.0 - y) * tf.math.log(1.0 - p + self.epsilon)
        return sum_over_classes(-terms, weights)
