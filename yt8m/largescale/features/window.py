"""Features and labels of some videos in memory, as much as a shuffled pass holds at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Callable

import numpy as np

from yt8m.largescale.features.shard import Shard

Batch = tuple[np.ndarray, np.ndarray]


class Columns:
    """The columns of a multi-hot label matrix for the chosen classes.

    Args:
      num_classes: K.
      classes: labels [C] in the order of the columns; None chooses all.
    """

    def __init__(self, num_classes: int, classes: Sequence[int] | None = None):
        self._column, self._width = np.arange(num_classes), num_classes
        if classes is not None:
            self._width = len(classes)
            self._column = np.full(num_classes, -1, np.int64)
            self._column[np.asarray(classes, np.int64)] = np.arange(self._width)

    def multi_hot(self, indptr: np.ndarray, indices: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the labels of `rows` [n] of a CSR matrix, multi-hot uint8 [n, C]."""
        first = np.asarray(indptr[rows], np.int64)
        counts = indptr[rows + 1] - first
        row = np.repeat(np.arange(len(rows)), counts)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        column = self._column[indices[np.repeat(first, counts) + within]]
        out = np.zeros((len(rows), self._width), np.uint8)
        out[row[column >= 0], column[column >= 0]] = 1
        return out


class FeatureWindow:
    """A copy of parts of shards, one after another.

    Args:
      pieces: (shard, first row, row after the last) of each part. A shard is opened when its part
        is copied and released before the next, because every map keeps a file open.
      open_shard: returns the shard with an index.
      width: D.
      dtype: the type of the features.
    """

    def __init__(
        self,
        pieces: Sequence[tuple[int, int, int]],
        open_shard: Callable[[int], Shard],
        width: int,
        dtype: np.dtype,
    ):
        count = sum(high - low for _, low, high in pieces)
        self._features = np.empty((count, width), dtype)
        self._indptr = np.zeros(count + 1, np.int64)
        indices: list[np.ndarray] = []
        row, labels = 0, 0
        for number, low, high in pieces:
            if high == low:
                continue
            shard = open_shard(number)
            end = row + high - low
            shard.read_into(self._features[row:end], low)
            bounds = np.array(shard.indptr[low : high + 1])
            indices.append(np.array(shard.indices[bounds[0] : bounds[-1]]))
            self._indptr[row + 1 : end + 1] = bounds[1:] - bounds[0] + labels
            row, labels = end, labels + len(indices[-1])
        self._indices = np.concatenate(indices) if indices else np.zeros(0, np.int32)

    def take(self, rows: np.ndarray, columns: Columns) -> Batch:
        """Return the features [n, D] and labels uint8 [n, C] of `rows` [n]."""
        return self._features[rows], columns.multi_hot(self._indptr, self._indices, rows)


def joined(parts: list[Batch]) -> Batch:
    """Return the parts of a batch as one batch."""
    if len(parts) == 1:
        return parts[0]
    features, labels = zip(*parts)
    return np.concatenate(features), np.concatenate(labels)


def in_batches(shards: Iterable[Shard], batch_size: int, columns: Columns) -> Iterator[Batch]:
    """Yield batches of the videos of `shards` in order, across shards; the last may be smaller."""
    parts: list[Batch] = []
    held = 0
    for shard in shards:
        low = 0
        while low < len(shard.features):
            high = min(len(shard.features), low + batch_size - held)
            labels = columns.multi_hot(shard.indptr, shard.indices, np.arange(low, high))
            parts.append((shard.features[low:high], labels))
            held, low = held + high - low, high
            if held == batch_size:
                yield joined(parts)
                parts, held = [], 0
    if parts:
        yield joined(parts)
