"""The average precision of a ranked list, on which GAP and MAP are based."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.metrics.sort_keys import descending_keys, places_of

TIE_SEED = 0
_PART = 1 << 18


def ranked(scores: NDArray[Any], values: NDArray[Any], seed: int = TIE_SEED) -> NDArray[Any]:
    """Return values [N] in descending order of their scores [N], ties in random order.

    As in the starter code (docs/sources.md#ranking-metrics), a shuffle with a fixed seed precedes a
    stable sort. Without it, equal scores would keep the order of the data, which may be grouped by
    label.

    Args:
      scores: float32, without NaN.
      values: [N], any type; what is returned in another order.
      seed: decides the order of ties.
    """
    size = len(scores)
    # The permutation is that of 64-bit indices, in half the memory.
    shuffled = np.arange(size, dtype=np.uint32 if size <= 1 << 32 else np.int64)
    np.random.default_rng(seed).shuffle(shuffled)
    keys, mixed = np.empty(size, np.int64), np.empty_like(values)
    for part in _parts(size):
        chosen = shuffled[part]
        keys[part] = descending_keys(scores[chosen], np.arange(part.start, part.stop))
        mixed[part] = values[chosen]
    del shuffled
    keys.sort()
    out = np.empty_like(values)
    for part in _parts(size):
        out[part] = mixed[places_of(keys[part])]
    return out


def _parts(size: int) -> Iterator[slice]:
    """Yield slices whose arrays stay in the processor's cache."""
    for start in range(0, size, _PART):
        yield slice(start, min(start + _PART, size))


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
