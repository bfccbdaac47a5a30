"""Average precision, of one ranked list and of many lists at once."""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np

_SEED = 0  # of the permutation that breaks ties (spec B.1: the original shuffles once, then sorts)


def ranking(scores: np.ndarray) -> np.ndarray:
    """Return the order of `scores` [N], highest first; ties in a fixed pseudo-random order."""
    shuffle = np.random.default_rng(_SEED).permutation(len(scores))
    return shuffle[np.argsort(-scores[shuffle], kind="stable")]


def average_precision(
    scores: np.ndarray, positive: np.ndarray, num_positives: Optional[int] = None, top_n: Optional[int] = None
) -> float:
    """Return the non-interpolated average precision of one list (starter code; spec B.1).

    AP = (1 / n_pos) · Σ over positives of (positives among the first i) / i.

    Args:
      scores: [N].
      positive: [N], 0 or 1.
      num_positives: n_pos where some positives are not in the list; else those of the list.
      top_n: only the first so many ranks count, and n_pos is at most that.
    """
    hits = positive[ranking(scores)].astype(bool)
    n_pos = int(hits.sum()) if num_positives is None else num_positives
    if top_n is not None:
        hits, n_pos = hits[:top_n], min(n_pos, top_n)
    if n_pos == 0:
        return 0.0
    at = np.flatnonzero(hits)
    return float(np.sum(np.arange(1, len(at) + 1) / (at + 1)) / n_pos)


def grouped_average_precision(
    groups: np.ndarray, scores: np.ndarray, positive: np.ndarray, group_positives: np.ndarray
) -> np.ndarray:
    """Return the average precision of each group's list, float64 [G], without a loop over groups.

    Args:
      groups: [N], in [0, G).
      scores, positive: [N].
      group_positives: n_pos of each group [G]; a group with none gets 0.
    """
    total = np.zeros(len(group_positives))
    if len(scores):
        order = ranking(scores)
        order = order[np.argsort(groups[order], kind="stable")]  # by group, within it by score
        sorted_groups = groups[order]
        hits = positive[order].astype(np.int64)
        starts, ranks = _positions(sorted_groups)
        running = np.cumsum(hits)
        before = np.where(starts > 0, running[starts - 1], 0)
        at = np.flatnonzero(hits)
        precision = (running[at] - before[at]) / (ranks[at] + 1)
        total = np.bincount(sorted_groups[at], weights=precision, minlength=len(group_positives))
    return np.divide(total, group_positives, out=np.zeros(len(group_positives)), where=group_positives > 0)


def _positions(sorted_groups: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Return where each element's group starts, and its rank within the group."""
    index = np.arange(len(sorted_groups))
    new = np.ones(len(sorted_groups), bool)
    new[1:] = sorted_groups[1:] != sorted_groups[:-1]
    starts = np.maximum.accumulate(np.where(new, index, 0))
    return starts, index - starts
