"""The hinge loss of the starter code."""

from __future__ import annotations

import tensorflow as tf

from yt8m.losses.registry import register, total


@register("HingeLoss", by_class=True)
def hinge(labels, predictions, weights=None):
    """Σ_c max(0, 1 − y±·p), y± = 2y − 1 (starter code; spec A.11)."""
    y = tf.cast(labels, tf.float32)
    return total(tf.nn.relu(1.0 - (2.0 * y - 1.0) * tf.cast(predictions, tf.float32)), weights)
