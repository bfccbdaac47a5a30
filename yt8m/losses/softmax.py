"""Softmax cross-entropy of the starter code."""

from __future__ import annotations

import tensorflow as tf

from yt8m.losses.registry import labels_as_distribution, register, total


@register("SoftmaxLoss", note="the starter code's, a softmax of the output")
def softmax(
    labels: tf.Tensor, predictions: tf.Tensor, weights: tf.Tensor | None = None
) -> tf.Tensor:
    """Return −Σ_c ŷ·log q, where ŷ = y / max(Σy, 1e−7) and q is the softmax of the predictions.

    Source: the starter code (docs/sources.md#starter-losses), which applies the softmax to whatever
    the model returns, probabilities included.
    """
    y = labels_as_distribution(labels)
    return total(-y * tf.nn.log_softmax(tf.cast(predictions, tf.float32)), weights)
