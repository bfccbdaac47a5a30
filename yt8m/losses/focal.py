"""The focal loss, which takes weight off the many classes that are already right."""

from __future__ import annotations

from typing import Any, Optional

import tensorflow as tf

from yt8m.losses.registry import Loss, register, sum_over_classes


@register("FocalLoss", "focal")
class FocalLoss(Loss):
    """-sum_c a_c (1 - q_c)^gamma log(q_c + eps), q_c the probability of the label (Lin et al. 2017, eq. 5).

    Args:
      alpha: a_c of a positive label; a negative one has 1 - alpha.
      gamma: 0 is the weighted cross-entropy.
      epsilon: added inside the logarithm.
    """

    def __init__(self, alpha: float = 0.25, gamma: float = 2.0, epsilon: float = 1e-5):
        self.alpha = float(alpha)
        self.gamma = float(gamma)
        self.epsilon = float(epsilon)

    def __call__(self, labels: Any, predictions: Any, weights: Optional[Any] = None) -> tf.Tensor:
        """Return the loss of each video, [B], float32."""
        y = tf.cast(labels, tf.float32)  # [B, K]
        p = tf.cast(predictions, tf.float32)
        positive = self.alpha * (1.0 - p) ** self.gamma * tf.math.log(p + self.epsilon)
        negative = (1.0 - self.alpha) * p**self.gamma * tf.math.log(1.0 - p + self.epsilon)
        return sum_over_classes(-(y * positive + (1.0 - y) * negative), weights)
