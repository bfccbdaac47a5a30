"""Softmax cross-entropy with smoothed labels, for a model whose output is already a softmax."""

from __future__ import annotations

import tensorflow as tf

from yt8m.losses.registry import labels_as_distribution, register, total

# It keeps the logarithm finite, and does not change the gradient of any probability above it.
_TINY = 1e-30


@register("SmoothedSoftmaxLoss", needs_softmax=True, note="for models with a softmax")
def smoothed_softmax(
    labels: tf.Tensor, predictions: tf.Tensor, weights: tf.Tensor | None = None
) -> tf.Tensor:
    """Return −Σ_c ŷ·log p, where ŷ = y / max(Σy, 1e−7) and p is a softmax over the classes.

    Source: UTS 2.1 (docs/sources.md#smoothed-softmax). Unlike the starter code's `SoftmaxLoss`, it
    applies no second softmax to the output. A video without labels has a loss of 0.
    """
    y = labels_as_distribution(labels)
    return total(-y * tf.math.log(tf.cast(predictions, tf.float32) + _TINY), weights)
