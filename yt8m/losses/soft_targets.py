"""Losses on targets between 0 and 1: mixed or smoothed labels, and the answers of a teacher."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from yt8m.losses.cross_entropy import EPSILON
from yt8m.losses.registry import Loss, total

# In a teacher's scores: it says nothing about this video, or about this class.
UNKNOWN = -1.0


@dataclasses.dataclass(frozen=True)
class Distillation:
    """How much a student learns from its teacher.

    Attributes:
      weight: w, from 0 (labels alone) to 1 (the teacher alone).
      temperature: T, above 0; above 1 it makes both answers less certain.
    """

    weight: float
    temperature: float = 1.0


def on_soft_labels(loss: Loss) -> Loss:
    """Return the expectation of a loss for labels [B, K] that are probabilities.

    It is Σ_c y·ℓ(1, p) + (1 − y)·ℓ(0, p), which a cross-entropy has in its definition. Other losses
    are defined for labels 0 and 1 alone.

    Args:
      loss: a sum of terms ℓ of one class each.
    """

    def expected(
        labels: tf.Tensor, predictions: tf.Tensor, weights: tf.Tensor | None = None
    ) -> tf.Tensor:
        y = tf.cast(labels, tf.float32)
        no = 1.0 - y
        if weights is not None:
            y, no = y * weights, no * weights
        ones, zeros = tf.ones_like(y), tf.zeros_like(y)
        return loss(ones, predictions, y) + loss(zeros, predictions, no)

    return expected


def logits_at(p: tf.Tensor, temperature: float) -> tf.Tensor:
    """Return log(p / (1 − p)) / T of probabilities, float32.

    Both logarithms have `EPSILON` inside, as in `CrossEntropyLoss`, which limits their derivatives:
    a mixture of experts in bfloat16 knows a probability near 1 to about 0.004 only, and with 1e-8
    its training diverged.
    """
    p = tf.clip_by_value(tf.cast(p, tf.float32), 0.0, 1.0)
    return (tf.math.log(p + EPSILON) - tf.math.log(1.0 - p + EPSILON)) / temperature


def distilled(loss: Loss, teacher: tf.Tensor, distillation: Distillation) -> Loss:
    """Return (1 − w)·loss + w·T²·Σ_c −q_T·log p_T − (1 − q_T)·log(1 − p_T).

    q are the teacher's scores and p the student's, and x_T = σ(logit(x) / T). Where the teacher
    says nothing, the loss alone remains. Source: docs/sources.md#distillation.

    Args:
      loss: a sum of terms of one class each.
      teacher: scores float [B, K] from 0 to 1, or `UNKNOWN`.
      distillation: w and T.
    """
    scale = distillation.weight * distillation.temperature**2

    def both(
        labels: tf.Tensor, predictions: tf.Tensor, weights: tf.Tensor | None = None
    ) -> tf.Tensor:
        # The fused loss of a mixture passes [B, K] as [B K, 1].
        q = tf.reshape(tf.cast(teacher, tf.float32), tf.shape(predictions))
        known = tf.cast(q >= 0.0, tf.float32)
        soft = tf.sigmoid(logits_at(q, distillation.temperature))
        z = logits_at(predictions, distillation.temperature)
        each = tf.math.softplus(z) - soft * z
        given = tf.ones_like(q) if weights is None else tf.cast(weights, tf.float32)
        own = loss(labels, predictions, given * (1.0 - distillation.weight * known))
        return own + total(each, scale * known * given)

    return both


def objective(
    loss: Loss, soft: bool, teacher: tf.Tensor | None, distillation: Distillation | None
) -> Loss:
    """Return what a step minimizes.

    Args:
      loss: the run's loss.
      soft: whether the labels are probabilities.
      teacher: scores [B, K], or None.
      distillation: None without a teacher.
    """
    if soft:
        loss = on_soft_labels(loss)
    if teacher is None or distillation is None:
        return loss
    return distilled(loss, teacher, distillation)
