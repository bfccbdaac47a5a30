"""The starter code's softmax loss: the labels of a video share one unit of probability."""

from __future__ import annotations

from typing import Any, Optional

import tensorflow as tf

from yt8m.losses.registry import Loss, register, sum_over_classes


@register("SoftmaxLoss", "softmax")
class SoftmaxLoss(Loss):
    """-sum_c t_c log softmax(p)_c with t = y / max(sum_c y_c, 1e-7) (starter code).

    As in the starter code the softmax is taken of whatever the model returns. A video without labels costs 0.
    """

    def __call__(self, labels: Any, predictions: Any, weights: Optional[Any] = None) -> tf.Tensor:
        """Return the loss of each video, [B], float32."""
        y = tf.cast(labels, tf.float32)  # [B, K]
        target = y / tf.maximum(tf.reduce_sum(y, axis=-1, keepdims=True), 1e-7)
        terms = -target * tf.nn.log_softmax(tf.cast(predictions, tf.float32), axis=-1)
        return sum_over_classes(terms, weights)
