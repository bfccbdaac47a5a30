"""The k highest scores of every row, on which all metrics and submissions are based.

With 1024 rows of 3862 scores and k = 20, this takes 11 ms on one core, and `tf.math.top_k` 15 ms.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.errors import UserError, look_for_nan

# A row with more than this times k candidates has large ties, and is sorted in full.
_CANDIDATES = 8


def top_k(scores: NDArray[Any], k: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the `k` highest scores of each row in descending order, and their columns.

    Equal scores are ordered by column, the lowest first, so the result of a row does not depend on
    other rows.

    Args:
      scores: float [B, K].
      k: number of scores to return, at most K.

    Returns:
      (values float [B, min(k, K)], columns int64 [B, min(k, K)]).

    Raises:
      UserError: a score is NaN.
    """
    scores = np.asarray(scores)
    batch, width = scores.shape
    k = min(int(k), width)
    if k < 1:
        raise ValueError(f"k must be 1 or more, not {k}")
    if batch == 0:
        return scores[:, :k], np.zeros((0, k), np.int64)
    if width < 8 * k:
        _refuse_nan(scores)
        return _sort_rows(scores, k)

    # Among at least 2 k disjoint groups of columns, the k-th highest group maximum is a score that
    # k columns reach. So it is a lower bound of the k-th score, and few columns reach it. This is
    # far cheaper than a partition of whole rows (5 ms instead of 35 ms at 1024 rows of 3862).
    groups = max(2 * k, width // 32)
    even = width - width % groups
    maxima = scores[:, :even].reshape(batch, -1, groups).max(axis=1)  # [B, groups]
    _refuse_nan(maxima)
    bound = np.partition(maxima, groups - k, axis=1)[:, groups - k, np.newaxis]  # [B, 1]
    passes = scores >= bound  # [B, K]
    if even < width:
        _refuse_nan(scores[:, even:])
    counts = np.count_nonzero(passes, axis=1)  # [B]
    heavy = counts > _CANDIDATES * k
    if heavy.all():
        return _sort_rows(scores, k)
    if heavy.any():
        passes[heavy] = False
        counts = np.where(heavy, 0, counts)

    rows, columns = np.divmod(np.flatnonzero(passes), width)
    slots = np.arange(rows.size) - np.repeat(np.cumsum(counts) - counts, counts)
    candidates = np.full((batch, counts.max()), -np.inf, scores.dtype)  # [B, C]
    candidates[rows, slots] = scores[rows, columns]
    where = np.zeros(candidates.shape, np.int64)
    where[rows, slots] = columns
    order = np.argsort(-candidates, axis=1, kind="stable")[:, :k]  # [B, k]; padding sorts last
    values, classes = np.take_along_axis(candidates, order, 1), np.take_along_axis(where, order, 1)
    if heavy.any():
        values[heavy], classes[heavy] = _sort_rows(scores[heavy], k)
    return values, classes


def _sort_rows(scores: NDArray[Any], k: int) -> tuple[NDArray[Any], NDArray[Any]]:
    columns = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, columns, 1), columns


def _refuse_nan(scores: NDArray[Any]) -> None:
    bad = int(np.isnan(scores).any(axis=1).sum())
    if bad:
        raise UserError(
            f"the scores of {bad} of {len(scores)} rows are NaN; ranking needs numbers."
            f" {look_for_nan()} Otherwise the model has diverged: train again with a lower"
            " --base_learning_rate, or use an earlier checkpoint."
        )
