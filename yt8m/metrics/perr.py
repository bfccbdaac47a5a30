"""Precision at equal recall rate: the share that is right of a video's G best scores, G its number of labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.metrics.top_k import top_k


def perr_per_video(predictions: NDArray[Any], labels: NDArray[Any]) -> NDArray[Any]:
    """Return PERR [B] of each video, 0 for a video without labels.

    Source: starter code, eval_util (the KDD'19 paper's eq. 8 swaps the roles of videos and classes).

    Args:
      predictions: float [B, K]; a hit needs a score above 0.
      labels: [B, K]; above 0 is positive.
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
      scores: float [B, k], with k at least the highest of `num_labels`.
      hits: bool [B, k].
      num_labels: int [B].
    """
    counted = np.arange(scores.shape[1]) < num_labels[:, np.newaxis]  # [B, k]
    found = np.count_nonzero(hits & counted & (scores > 0), axis=1)  # [B]
    return found / np.maximum(num_labels, 1)


def perr(predictions: NDArray[Any], labels: NDArray[Any]) -> float:
    """Return the mean of `perr_per_video`; videos without labels count as 0."""
    return float(perr_per_video(predictions, labels).mean())
