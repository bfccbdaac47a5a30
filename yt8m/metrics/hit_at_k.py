"""Hit@k: the share of videos with a true label among their k best."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.metrics.top_k import top_k


def hit_at_k(predictions: NDArray[Any], labels: NDArray[Any], k: int = 1) -> float:
    """Return Hit@k over a batch; a video without labels is a miss, ties go to the lower class.

    Source: starter code, eval_util (k = 1); KDD'19 paper, section 5.1.5 (k = 1 and 5).

    Args:
      predictions: float [B, K].
      labels: [B, K]; above 0 is positive.
      k: labels of each video that are looked at.
    """
    _, classes = top_k(np.asarray(predictions), k)
    return float(hits_of_ranked(np.take_along_axis(np.asarray(labels) > 0, classes, 1), k).mean())


def hits_of_ranked(hits: NDArray[Any], k: int) -> NDArray[Any]:
    """Return bool [B]: is there a hit among the first `k` of each row of `hits` [B, >= k]?"""
    return hits[:, :k].any(axis=1)
