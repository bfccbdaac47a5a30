"""Softmax cross-entropy of a model whose output is a softmax already, against labels spread evenly over a video's classes."""

from __future__ import annotations

import tensorflow as tf

from yt8m.losses.registry import register, total

_TINY = (
    1e-30  # keeps the logarithm finite, and leaves the gradient of any probability above it exact
)


@register("SmoothedSoftmaxLoss", of_softmax=True)
def smoothed_softmax(labels, predictions, weights=None):
    """−Σ_c ŷ·log p, ŷ = y / max(Σy, 1e−7), p a softmax over the classes (UTS 2.1; spec C.15).

    Unlike `SoftmaxLoss`, the starter code's, no second softmax is laid over the model's. A video
    without labels costs nothing.
    """
    y = tf.cast(labels, tf.float32)
    y = y / tf.maximum(tf.reduce_sum(y, axis=-1, keepdims=True), 1e-7)
    return total(-y * tf.math.log(tf.cast(predictions, tf.float32) + _TINY), weights)
