"""The sigmoid cross-entropy of the starter code: on probabilities, with a small number inside each logarithm."""

from __future__ import annotations

import tensorflow as tf

from yt8m.losses.registry import register, total

EPSILON = 1e-5


@register("CrossEntropyLoss")
def cross_entropy(labels, predictions, weights=None):
    """−Σ_c y·log(p + ε) + (1 − y)·log(1 − p + ε), ε = 1e−5 (starter code; spec A.11)."""
    y = tf.cast(labels, tf.float32)
    p = tf.cast(predictions, tf.float32)
    # Labels are 0 or 1, so one logarithm of the right operand does for both terms.
    right = (1.0 - y) + (2.0 * y - 1.0) * p  # p where y is 1, 1 - p where y is 0
    return total(-tf.math.log(right + EPSILON), weights)
