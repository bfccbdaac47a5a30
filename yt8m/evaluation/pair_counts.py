"""Counts of pairs of classes over a stream of videos.

A pair takes 16 bytes once it has occurred.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_BUFFERED = 1 << 18  # pairs that are counted together


class PairCounts:
    """Counts of ordered pairs of classes.

    Args:
      num_classes: K.
    """

    def __init__(self, num_classes: int):
        self._num_classes = num_classes
        self._keys, self._counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._buffer: list[NDArray[np.int64]] = []
        self._buffered = 0

    def update(self, first: NDArray[Any], second: NDArray[Any]) -> None:
        """Count pairs (first[i], second[i]), int [N] each."""
        self._buffer.append(first.astype(np.int64) * self._num_classes + second)
        self._buffered += len(first)
        if self._buffered >= _BUFFERED:
            self._compact()

    def most_frequent(self, most: int) -> list[tuple[int, int, int]]:
        """Return (first, second, count) of the most frequent pairs, ties by class."""
        self._compact()
        order = np.argsort(-self._counts, kind="stable")[:most]
        first, second = np.divmod(self._keys[order], self._num_classes)
        return list(zip(first.tolist(), second.tolist(), self._counts[order].tolist()))

    def count(self, first: int, second: int) -> int:
        """Return how often one pair occurred."""
        self._compact()
        key = first * self._num_classes + second
        at = int(np.searchsorted(self._keys, key))
        found = at < len(self._keys) and self._keys[at] == key
        return int(self._counts[at]) if found else 0

    def _compact(self) -> None:
        if not self._buffer:
            return
        new, counts = np.unique(np.concatenate(self._buffer), return_counts=True)
        self._buffer, self._buffered = [], 0
        keys, places = np.unique(np.concatenate([self._keys, new]), return_inverse=True)
        total = np.zeros(len(keys), np.int64)
        np.add.at(total, places, np.concatenate([self._counts, counts]))
        self._keys, self._counts = keys, total


def within_rows(
    rows_a: NDArray[Any], rows_b: NDArray[Any], num_rows: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the indices (into a, into b) of all pairs of entries that are in the same row.

    Args:
      rows_a: the row of each entry of a, int [N].
      rows_b: the row of each entry of b, int [M], ascending.
      num_rows: number of rows.
    """
    counts = np.bincount(rows_b, minlength=num_rows)
    starts = np.cumsum(counts) - counts
    repeats = counts[rows_a]
    into_a = np.repeat(np.arange(len(rows_a)), repeats)
    before = np.cumsum(repeats) - repeats
    into_b = np.arange(repeats.sum()) + np.repeat(starts[rows_a] - before, repeats)
    return into_a, into_b
