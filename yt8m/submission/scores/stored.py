"""Stored scores of any format, read by rows: for fusion, and as the answers of a teacher."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np

from yt8m.metrics.top_k import top_k


class StoredScores(abc.ABC):
    """Scores of N videos.

    Attributes:
      ids: N video ids.
      num_classes: K.
      width: number of classes that are stored for each video, at most K.
      meta: what the writer recorded, such as "covered_classes" or "segments".
    """

    ids: list[str]
    num_classes: int
    width: int
    meta: dict[str, Any]

    @abc.abstractmethod
    def dense(self, rows: np.ndarray) -> np.ndarray:
        """Return the scores of the videos `rows` [n] in all classes, float32 [n, K]."""

    @abc.abstractmethod
    def best(self, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the best classes of the videos `rows` [n], in descending order of the score.

        Args:
          rows: int [n].
          k: number of classes, at most `width`.

        Returns:
          (classes int32 [n, k], scores float32 [n, k]).

        Raises:
          ValueError: fewer classes than `k` are stored.
        """

    def _check(self, k: int) -> None:
        if not 1 <= k <= self.width:
            raise ValueError(f"k must be between 1 and the {self.width} classes stored, not {k}")


class DenseScores(StoredScores):
    """The scores of all classes.

    Attributes:
      scores: [N, K], as they are stored.

    Args:
      ids: N video ids.
      scores: float [N, K]; may be memory-mapped.
      meta: what the writer recorded.
    """

    def __init__(self, ids: list[str], scores: np.ndarray, meta: dict[str, Any]):
        self.ids, self.meta, self.scores = ids, meta, scores
        self.num_classes = self.width = scores.shape[1]

    def dense(self, rows: np.ndarray) -> np.ndarray:
        """Return the scores of the videos `rows` [n] in all classes, float32 [n, K]."""
        return np.asarray(take(self.scores, rows), np.float32)

    def best(self, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (classes int32 [n, k], scores float32 [n, k]) of the videos `rows` [n]."""
        self._check(k)
        scores, classes = top_k(self.dense(rows), k)
        return classes.astype(np.int32), scores


class BestScores(StoredScores):
    """The k best classes of each video, and the mean score of its other classes.

    `dense` gives each other class that mean. Of all constants it has the least squared error, and
    it keeps the sum of a video's scores. Fusions then come close to those of all scores, whatever
    their weights, where 0 would lower a class that one model stores and another does not;
    docs/submission.md has what it costs.

    Args:
      ids: N video ids.
      classes: int [N, k], in descending order of the score; may be memory-mapped.
      scores: float [N, k]; may be memory-mapped.
      rest: float [N, 1], the mean score of the other classes; may be memory-mapped.
      num_classes: K.
      meta: what the writer recorded.
    """

    def __init__(
        self,
        ids: list[str],
        classes: np.ndarray,
        scores: np.ndarray,
        rest: np.ndarray,
        num_classes: int,
        meta: dict[str, Any],
    ):
        self.ids, self.meta, self.num_classes = ids, meta, num_classes
        self.width = scores.shape[1]
        self._classes, self._scores, self._rest = classes, scores, rest

    def dense(self, rows: np.ndarray) -> np.ndarray:
        """Return the scores of the videos `rows` [n] in all classes, float32 [n, K]."""
        rest = take(self._rest, rows).astype(np.float32)
        out = np.repeat(rest, self.num_classes, axis=1)
        classes, scores = self.best(rows, self.width)
        np.put_along_axis(out, classes.astype(np.int64), scores, axis=1)
        return out

    def best(self, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (classes int32 [n, k], scores float32 [n, k]) of the videos `rows` [n]."""
        self._check(k)
        classes, scores = take(self._classes, rows)[:, :k], take(self._scores, rows)[:, :k]
        return classes.astype(np.int32), scores.astype(np.float32)


def take(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return `array[rows]`: a run of rows is read at once, others row by row."""
    rows = np.asarray(rows, np.int64)
    if len(rows) and np.all(np.diff(rows) == 1):
        return array[rows[0] : rows[-1] + 1]
    return array[rows]
