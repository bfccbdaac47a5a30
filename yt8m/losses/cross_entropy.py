"""The sigmoid cross-entropy of the starter code, with a small ε inside each logarithm."""

from __future__ import annotations

import tensorflow as tf

from yt8m.losses.registry import probability_of_label, register, total

EPSILON = 1e-5


@register(
    "CrossEntropyLoss",
    sums_over_classes=True,
    note="the starter code's, with 1e-5 inside its logarithms",
)
def cross_entropy(
    labels: tf.Tensor, predictions: tf.Tensor, weights: tf.Tensor | None = None
) -> tf.Tensor:
    """Return −Σ_c y·log(p + ε) + (1 − y)·log(1 − p + ε), ε = 1e−5.

    Source: the starter code (docs/sources.md#starter-losses).
    """
    return total(-tf.math.log(probability_of_label(labels, predictions) + EPSILON), weights)
