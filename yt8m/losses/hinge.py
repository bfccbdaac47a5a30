"""The starter code's hinge loss: pushes p up where the label is 1, and -p where it is 0."""

from __future__ import annotations

from typing import Any, Optional

import tensorflow as tf

from yt8m.losses.registry import Loss, register, sum_over_classes


@register("HingeLoss", "hinge")
class HingeLoss(Loss):
    """sum_c max(0, margin - (2 y_c - 1) p_c) (starter code).

    Args:
      margin: 1 in the starter code.
    """

    def __init__(self, margin: float = 1.0):
        self.margin = float(margin)

    def __call__(self, labels: Any, predictions: Any, weights: Optional[Any] = None) -> tf.Tensor:
        """Return the loss of each video, [B], float32."""
        sign = 2.0 * tf.cast(labels, tf.float32) - 1.0  # [B, K]
        terms = tf.nn.relu(self.margin - sign * tf.cast(predictions, tf.float32))
        return sum_over_classes(terms, weights)
