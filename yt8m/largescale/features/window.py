"""Features and labels of some videos in memory, as much as a shuffled pass holds at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Callable

import numpy as np

from yt8m.largescale.features.shard import Shard

Batch = tuple[np.ndarray, np.ndarray]
Piece = tuple[int, int, int]  # shard, first row, row after the last


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
    """Parts of shards, one after another, in one buffer: this process's, or one that is shared.

        indptr      where each row's labels start in `indices`, int64 [n + 1]
        features    [n, D]
        indices     the labels, int32

    Args:
      buffer: the bytes of `indptr` and `features`, and of `indices` unless they are given.
      rows: n.
      width: D.
      dtype: the type of the features.
      indices: the labels.
    """

    def __init__(
        self,
        buffer: np.ndarray,
        rows: int,
        width: int,
        dtype: np.dtype,
        indices: np.ndarray | None = None,
    ):
        first, end = 8 * (rows + 1), window_bytes(rows, width, dtype)
        self._indptr = buffer[:first].view(np.int64)
        self._features = buffer[first:end].view(dtype).reshape(rows, width)
        self._indices = buffer[end:].view(np.int32) if indices is None else indices

    @classmethod
    def read(
        cls,
        pieces: Sequence[Piece],
        open_shard: Callable[[int], Shard],
        width: int,
        dtype: np.dtype,
        buffer: np.ndarray | None = None,
    ) -> FeatureWindow:
        """Return a window after copying parts of shards into it.

        Args:
          pieces: the parts. A shard is opened when its part is copied and released before the next,
            because every map keeps a file open.
          open_shard: returns the shard with an index.
          width: D.
          dtype: the type of the features.
          buffer: `window_bytes` bytes that receive all but the labels; None allocates them.
        """
        rows = rows_of(pieces)
        if buffer is None:
            buffer = np.empty(window_bytes(rows, width, dtype), np.uint8)
        window = cls(buffer, rows, width, dtype, np.zeros(0, np.int32))
        window._indptr[0] = 0
        indices = [window._indices]
        row, labels = 0, 0
        for number, low, high in pieces:
            if high == low:
                continue
            shard = open_shard(number)
            end = row + high - low
            shard.read_into(window._features[row:end], low)
            bounds = np.array(shard.indptr[low : high + 1])
            indices.append(np.array(shard.indices[bounds[0] : bounds[-1]]))
            window._indptr[row + 1 : end + 1] = bounds[1:] - bounds[0] + labels
            row, labels = end, labels + len(indices[-1])
        window._indices = np.concatenate(indices)
        return window

    @property
    def labels(self) -> np.ndarray:
        """The labels of all rows, one after another."""
        return self._indices

    def take(self, rows: np.ndarray, columns: Columns) -> Batch:
        """Return the features [n, D] and labels uint8 [n, C] of `rows` [n]."""
        return self._features[rows], columns.multi_hot(self._indptr, self._indices, rows)


def rows_of(pieces: Sequence[Piece]) -> int:
    """Return the number of rows of all pieces."""
    return sum(high - low for _, low, high in pieces)


def window_bytes(rows: int, width: int, dtype: np.dtype) -> int:
    """Return the bytes of a window of `rows` without its labels."""
    return 8 * (rows + 1) + rows * width * dtype.itemsize


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
