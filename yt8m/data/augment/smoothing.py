"""Label smoothing: no target is certain."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def smooth(
    batch: dict[str, tf.Tensor], share: float, priors: np.ndarray | None
) -> dict[str, tf.Tensor]:
    """Return the batch with "targets" (1 − ε)·y + ε·u, float32 [B, K].

    u are the label frequencies: with thousands of classes, a constant would promise every video
    hundreds of labels. Source: docs/sources.md#label-smoothing.

    Args:
      batch: has "labels" [B, K].
      share: ε.
      priors: u [K].

    Raises:
      ValueError: there are no label frequencies.
    """
    if priors is None:
        raise ValueError("label smoothing needs the label frequencies")
    u = tf.constant(np.asarray(priors, np.float32))[None, :]
    y = tf.cast(batch["labels"], tf.float32)
    return {**batch, "targets": (1.0 - share) * y + share * u}
