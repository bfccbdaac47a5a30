"""The hinge loss of the starter code."""

from __future__ import annotations

import tensorflow as tf

from yt8m.losses.registry import register, total


@register("HingeLoss", sums_over_classes=True)
def hinge(labels: tf.Tensor, predictions: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
    """Return Σ_c max(0, 1 − y±·p), where y± = 2y − 1.

    Source: the starter code (docs/sources.md#starter-losses).
    """
    y = tf.cast(labels, tf.float32)
    return total(tf.nn.relu(1.0 - (2.0 * y - 1.0) * tf.cast(predictions, tf.float32)), weights)
