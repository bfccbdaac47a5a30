"""Softmax cross-entropy against labels spread evenly over a video's classes."""

from __future__ import annotations

import tensorflow as tf

from yt8m.losses.registry import register, total


@register("SoftmaxLoss")
def softmax(labels, predictions, weights=None):
    """−Σ_c ŷ·log softmax(p), ŷ = y / max(Σy, 1e−7) (starter code; spec A.11).

    As there, a softmax is applied to whatever the model returns, probabilities too.
    """
    y = tf.cast(labels, tf.float32)
    y = y / tf.maximum(tf.reduce_sum(y, axis=-1, keepdims=True), 1e-7)
    return total(-y * tf.nn.log_softmax(tf.cast(predictions, tf.float32)), weights)
