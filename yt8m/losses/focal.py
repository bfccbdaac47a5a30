"""The focal loss, which gives less weight to well-predicted labels."""

from __future__ import annotations

import tensorflow as tf

from yt8m.losses.cross_entropy import EPSILON
from yt8m.losses.registry import probability_of_label, register, total

GAMMA = 2.0
ALPHA = 0.25


@register("FocalLoss", sums_over_classes=True)
def focal(labels: tf.Tensor, predictions: tf.Tensor, weights: tf.Tensor | None = None) -> tf.Tensor:
    """Return −Σ_c α_t·(1 − p_t)^γ·log(p_t + ε), γ = 2, α = 0.25 for positives, 0.75 for negatives.

    Source: Lin et al. 2017, eq. 5; ε is that of the starter code's cross-entropy.
    """
    right = probability_of_label(labels, predictions)
    alpha = (1.0 - ALPHA) + (2.0 * ALPHA - 1.0) * tf.cast(labels, tf.float32)
    focus = tf.pow(tf.maximum(1.0 - right, 0.0), GAMMA)
    return total(-alpha * focus * tf.math.log(right + EPSILON), weights)
