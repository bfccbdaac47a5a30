"""Precision at equal recall rate (PERR)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.metrics.top_k import top_k


def perr_per_video(predictions: NDArray[Any], labels: NDArray[Any]) -> NDArray[Any]:
    """Return the share of true labels among a video's G best scores, where it has G labels.

    Source: starter code, eval_util (KDD eq. 8 swaps the roles of videos and classes).

    Args:
      predictions: float [B, K]; a hit needs a score above 0.
      labels: [B, K]; above 0 is positive.

    Returns:
      float64 [B]; 0 for a video without labels.
    """
    positive = np.asarray(labels) > 0
    counts = np.count_nonzero(positive, axis=1)
    scores, classes = top_k(np.asarray(predictions), max(1, counts.max(initial=0)))
    return perr_of_ranked(scores, np.take_along_axis(positive, classes, 1), counts)


def perr_of_ranked(
    scores: NDArray[Any], hits: NDArray[Any], num_labels: NDArray[Any]
) -> NDArray[Any]:
    """Return PERR [B] from each video's best scores in descending order.

    Args:
      scores: float [B, k], where k is at least the highest of `num_labels`.
      hits: bool [B, k].
      num_labels: int [B].
    """
    counted = np.arange(scores.shape[1]) < num_labels[:, np.newaxis]  # [B, k]
    found = np.count_nonzero(hits & counted & (scores > 0), axis=1)  # [B]
    return found / np.maximum(num_labels, 1)
