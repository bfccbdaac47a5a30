"""Per class the best five-second segments, from the surest down: what a submission of segments lists and MAP@K is taken of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.errors import UserError
from yt8m.metrics.top_k import top_k as best_of_rows

MAX_PER_CLASS = 100_000  # of the challenge
_PENDING = 4_000_000  # pairs held before the lists are cut to their limit again


class SegmentRanking:
    """Collects segments' scores, and ranks the best segments of each class.

    Source: starter code, inference with --segment_labels. Ranks are taken in memory at full precision
    (the starter ranks the six digits of a text file). Of each class at most `max_per_class` segments
    are held, plus the pairs of the last few batches.

    Args:
      whitelist: classes that are asked for, or None for all.
      top_k: classes of each segment that take part.
      max_per_class: segments of a class at most (`--segment_max_pred`).

    Raises:
      UserError: a limit below 1.
    """

    def __init__(
        self,
        whitelist: Sequence[int] | None = None,
        top_k: int = 20,
        max_per_class: int = MAX_PER_CLASS,
    ):
        if top_k < 1 or max_per_class < 1:
            raise UserError(
                f"--top_k={top_k} and --segment_max_pred={max_per_class} are at least 1."
            )
        self._whitelist = None if whitelist is None else np.sort(np.asarray(whitelist, np.int64))
        self._top_k, self._max = top_k, max_per_class
        self._ids: list[str] = []
        self._parts: list[
            tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
        ] = []  # (classes, scores, rows of _ids)
        self._pending = 0

    def add(self, ids: Sequence[str], scores: NDArray[Any]) -> None:
        """Append segments: ids `<video>:<start>` [S], scores float [S, K].

        Raises:
          UserError: a class of the whitelist is beyond K, or a score is NaN.
        """
        if len(ids) != len(scores):
            raise ValueError(f"{len(ids)} ids with {len(scores)} rows of scores")
        if self._whitelist is not None and self._whitelist[-1] >= scores.shape[1]:
            raise UserError(
                f"--segment_label_ids_file has class {self._whitelist[-1]}, but there are {scores.shape[1]} classes."
            )
        if len(ids) == 0:
            return
        asked = scores if self._whitelist is None else scores[:, self._whitelist]  # [S, K']
        values, columns = best_of_rows(asked, self._top_k)
        classes = columns if self._whitelist is None else self._whitelist[columns]
        rows = np.arange(len(self._ids), len(self._ids) + len(ids))
        self._ids.extend(ids)
        self._parts.append(
            (
                classes.ravel().astype(np.int32),
                values.ravel(),
                np.repeat(rows, values.shape[1]).astype(np.int64),
            )
        )
        self._pending += values.size
        if self._pending >= _PENDING:
            self._cut()

    def lists(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (class, segments from the surest down) of each class that is among any segment's best, in ascending order."""
        self._cut()
        if not self._parts:
            return
        classes, _, rows = self._parts[0]
        starts = np.flatnonzero(np.diff(classes, prepend=-1))
        for start, end in zip(starts, np.append(starts[1:], len(classes))):
            yield int(classes[start]), [self._ids[r] for r in rows[start:end]]

    def _cut(self) -> None:
        """Sort pairs by class and descending score, keep the first `max_per_class` of each, drop ids not in use."""
        self._pending = 0
        if not self._parts:
            return
        classes, scores, rows = (np.concatenate(column) for column in zip(*self._parts))
        order = np.lexsort((rows, -scores, classes))  # equal scores: the segment that came first
        classes, scores, rows = classes[order], scores[order], rows[order]
        place = np.arange(len(classes)) - np.searchsorted(
            classes, classes
        )  # place in the class's list
        kept = place < self._max
        used, rows = np.unique(rows[kept], return_inverse=True)
        self._ids = [self._ids[r] for r in used]
        self._parts = [(classes[kept], scores[kept], rows)]
