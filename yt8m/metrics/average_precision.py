"""Average precision of a ranked list, the number under GAP and MAP."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

TIE_SEED = 0


def descending_order(scores: NDArray[Any], seed: int = TIE_SEED) -> NDArray[Any]:
    """Return indices [N] that sort `scores` [N] from high to low, ties in an order drawn with `seed`.

    Source: spec of the starter code: one shuffle with a fixed seed, then a stable sort. Without the
    shuffle, equal scores would keep the order of the data, which may be grouped by label.
    """
    shuffled = np.random.default_rng(seed).permutation(len(scores))
    return shuffled[np.argsort(-scores[shuffled], kind="stable")]


def average_precision(
    scores: NDArray[Any],
    labels: NDArray[Any],
    n: int | None = None,
    num_positives: int | None = None,
) -> float:
    """Return the non-interpolated average precision of a list.

    Source: starter code, average_precision_calculator; KDD'19 paper, eq. 5 without its prefactor.
    AP = (1 / n_pos) * sum over ranks i of positives of (positives among the first i) / i.

    Args:
      scores: float [N].
      labels: [N]; above 0 is positive.
      n: scan the first `n` ranks only; the count of positives is then capped at `n`.
      num_positives: positives in the whole set, where the list is a part of it.

    Returns:
      AP in [0, 1]; 0 for an empty list and where there is no positive.
    """
    scores, hits = np.asarray(scores), np.asarray(labels) > 0
    if scores.shape != hits.shape or scores.ndim != 1:
        raise ValueError(
            f"scores and labels are lists of one length, not {scores.shape} and {hits.shape}"
        )
    if n is not None and n < 1:
        raise ValueError(f"n is at least 1, not {n}")
    positives = int(hits.sum()) if num_positives is None else int(num_positives)
    if n is not None:
        positives = min(positives, n)
    ranked = hits[descending_order(scores)][:n]
    return ranked_average_precision(ranked, positives)


def ranked_average_precision(hits: NDArray[Any], num_positives: int) -> float:
    """Return AP of hits (bool [N]) that are already in descending order of score."""
    if num_positives <= 0:
        return 0.0
    ranks = np.flatnonzero(hits) + 1.0  # rank of each positive, from 1
    return float(np.sum(np.arange(1, len(ranks) + 1) / ranks) / num_positives)
