"""Each video's highest-scored classes: what every metric here, and a submission, is made of."""

from __future__ import annotations

from typing import Tuple

import numpy as np


def top_k(scores: np.ndarray, k: int) -> Tuple[np.ndarray, np.ndarray]:
    """Return (classes int32 [B, k], scores [B, k]) of the k highest scores, descending; of equal scores the first class.

    k is clamped to K.
    """
    k = min(k, scores.shape[1])
    if k == scores.shape[1]:
        classes = np.argsort(-scores, axis=1, kind="stable")
    else:
        classes = np.sort(np.argpartition(scores, scores.shape[1] - k, axis=1)[:, -k:], axis=1)
        values = np.take_along_axis(scores, classes, axis=1)
        # The partition cuts ties as it likes: where the lowest score taken is left out elsewhere, sort in full.
        tied = np.count_nonzero(scores >= values.min(1, keepdims=True), axis=1) > k
        order = np.argsort(-values, axis=1, kind="stable")
        classes = np.take_along_axis(classes, order, axis=1)
        if tied.any():
            classes[tied] = np.argsort(-scores[tied], axis=1, kind="stable")[:, :k]
    return classes.astype(np.int32), np.take_along_axis(scores, classes, axis=1)


def precision_at_equal_recall(scores: np.ndarray, hits: np.ndarray, num_positives: np.ndarray) -> np.ndarray:
    """Return each video's share of its G_v positives that lie among its G_v highest scores, float64 [B] (spec B.1).

    A hit needs a score above 0; a video without positives gets 0.

    Args:
      scores, hits: of each video's highest scores, descending [B, k], k at least the largest G_v or K.
      num_positives: G_v [B].
    """
    among = np.arange(scores.shape[1]) < num_positives[:, None]
    return (hits & among & (scores > 0)).sum(1) / np.maximum(num_positives, 1)
