"""Global average precision: one ranked list of all videos' best labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.metrics.average_precision import average_precision
from yt8m.metrics.top_k import top_k


def gap_of_pairs(scores: NDArray[Any], hits: NDArray[Any], num_positives: int) -> float:
    """Return GAP of pooled (video, class) pairs.

    Source: starter code, eval_util; KDD'19 paper, eq. 6 without its prefactor (a misprint).

    Args:
      scores: float [P], the pairs that survived their video's top k.
      hits: bool [P].
      num_positives: positives of all videos over all classes; those outside a top k cost recall.
    """
    return average_precision(scores, hits, num_positives=num_positives)


def batch_gap(predictions: NDArray[Any], labels: NDArray[Any], k: int = 20) -> float:
    """Return GAP@k of one batch, for a progress line; not to be averaged over batches.

    Args:
      predictions: float [B, K].
      labels: [B, K]; above 0 is positive.
      k: labels of each video that enter.
    """
    positive = np.asarray(labels) > 0
    scores, classes = top_k(np.asarray(predictions), k)
    hits = np.take_along_axis(positive, classes, 1)
    return gap_of_pairs(scores.ravel(), hits.ravel(), int(positive.sum()))
