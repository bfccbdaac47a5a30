"""The average precision of a ranked list, on which GAP and MAP are based."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

TIE_SEED = 0


def descending_order(scores: NDArray[Any], seed: int = TIE_SEED) -> NDArray[Any]:
    """Return the indices [N] that sort scores [N] from high to low, ties in random order.

    As in the starter code (docs/sources.md#ranking-metrics), a shuffle with a fixed seed precedes a
    stable sort. Without it, equal scores would keep the order of the data, which may be grouped by
    label.
    """
    shuffled = np.random.default_rng(seed).permutation(len(scores))
    return shuffled[np.argsort(-scores[shuffled], kind="stable")]


def ranked_average_precision(hits: NDArray[Any], num_positives: int) -> float:
    """Return the non-interpolated average precision of a list in descending order of score.

    AP = (1 / n_pos) · Σ over the ranks i of positives of (positives among the first i) / i.

    Source: starter code, average_precision_calculator; KDD eq. 5 without its prefactor.

    Args:
      hits: bool [N], whether each item is positive.
      num_positives: n_pos, the positives of the whole set, of which the list may be a part.

    Returns:
      AP in [0, 1]; 0 where there is no positive.
    """
    if num_positives <= 0:
        return 0.0
    ranks = np.flatnonzero(hits) + 1.0  # rank of each positive, from 1
    return float(np.sum(np.arange(1, len(ranks) + 1) / ranks) / num_positives)
