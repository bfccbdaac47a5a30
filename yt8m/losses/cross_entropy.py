"""The sigmoid cross-entropy of the starter code: on probabilities, with a small number inside each logarithm."""

from __future__ import annotations

import tensorflow as tf

from yt8m.losses.registry import probability_of_label, register, total

EPSILON = 1e-5


@register("CrossEntropyLoss", by_class=True)
def cross_entropy(labels, predictions, weights=None):
    """−Σ_c y·log(p + ε) + (1 − y)·log(1 − p + ε), ε = 1e−5 (starter code; spec A.11)."""
    return total(-tf.math.log(probability_of_label(labels, predictions) + EPSILON), weights)
