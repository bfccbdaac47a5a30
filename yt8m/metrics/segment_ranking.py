"""Rankings of the best five-second segments per class, for submissions and MAP@K."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.errors import UserError
from yt8m.metrics.top_k import top_k as best_of_rows

MAX_PER_CLASS = 100_000  # the limit of the challenge
_PENDING = 4_000_000  # pairs that may be added before the lists are cut to their limit again


class SegmentRanking:
    """A ranking of the segments of each class by their scores.

    Source: starter code, inference with --segment_labels. The ranking is done in memory at full
    precision, whereas the starter code ranks scores written with six digits to a text file. At most
    `max_per_class` segments of each class are kept, plus the pairs of the last few batches.

    Args:
      whitelist: classes to rank, or None for all.
      top_k: number of best classes of each segment that are ranked.
      max_per_class: maximum number of segments of a class (`--segment_max_pred`).

    Raises:
      UserError: a limit is below 1.
    """

    def __init__(
        self,
        whitelist: Sequence[int] | None = None,
        top_k: int = 20,
        max_per_class: int = MAX_PER_CLASS,
    ):
        if top_k < 1 or max_per_class < 1:
            raise UserError(
                f"--top_k={top_k} and --segment_max_pred={max_per_class} must be 1 or more."
            )
        self._whitelist = None if whitelist is None else np.sort(np.asarray(whitelist, np.int64))
        self._top_k, self._max = top_k, max_per_class
        self._ids: list[str] = []
        # (classes, scores, rows of _ids)
        self._parts: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
        self._pending = 0

    def add(self, ids: Sequence[str], scores: NDArray[Any]) -> None:
        """Add segments.

        Args:
          ids: S ids `<video>:<start>`.
          scores: float [S, K].

        Raises:
          UserError: a class of the whitelist is not below K, or a score is NaN.
        """
        if len(ids) != len(scores):
            raise ValueError(f"{len(ids)} ids with {len(scores)} rows of scores")
        if self._whitelist is not None and self._whitelist[-1] >= scores.shape[1]:
            raise UserError(
                f"--segment_label_ids_file lists class {self._whitelist[-1]}, but there are only"
                f" {scores.shape[1]} classes."
            )
        if len(ids) == 0:
            return
        asked = scores if self._whitelist is None else scores[:, self._whitelist]  # [S, K']
        values, columns = best_of_rows(asked, self._top_k)
        classes = columns if self._whitelist is None else self._whitelist[columns]
        rows = np.arange(len(self._ids), len(self._ids) + len(ids))
        self._ids.extend(ids)
        row_of_pair = np.repeat(rows, values.shape[1]).astype(np.int64)
        self._parts.append((classes.ravel().astype(np.int32), values.ravel(), row_of_pair))
        self._pending += values.size
        if self._pending >= _PENDING:
            self._cut()

    def lists(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (class, segments in descending order of score) for each ranked class, ascending."""
        self._cut()
        if not self._parts:
            return
        classes, _, rows = self._parts[0]
        starts = np.flatnonzero(np.diff(classes, prepend=-1))
        for start, end in zip(starts, np.append(starts[1:], len(classes))):
            yield int(classes[start]), [self._ids[r] for r in rows[start:end]]

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the ranking so far as arrays, for `restore`."""
        self._cut()
        empty = np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros(0, np.int64)
        classes, scores, rows = self._parts[0] if self._parts else empty
        ids = np.frombuffer("\n".join(self._ids).encode(), np.uint8)
        return {"classes": classes, "scores": scores, "rows": rows, "ids": ids}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from the arrays that `state` returned."""
        classes, scores, rows = (state[name] for name in ("classes", "scores", "rows"))
        self._ids = state["ids"].tobytes().decode().split("\n") if len(rows) else []
        self._parts = [(classes, scores, rows)] if len(rows) else []
        self._pending = 0

    def _cut(self) -> None:
        """Sort the pairs by class and descending score, and keep `max_per_class` of each class."""
        self._pending = 0
        if not self._parts:
            return
        classes, scores, rows = (np.concatenate(column) for column in zip(*self._parts))
        order = np.lexsort((rows, -scores, classes))  # among equal scores the first segment
        classes, scores, rows = classes[order], scores[order], rows[order]
        place = np.arange(len(classes)) - np.searchsorted(classes, classes)  # in the class's list
        kept = place < self._max
        used, rows = np.unique(rows[kept], return_inverse=True)
        self._ids = [self._ids[r] for r in used]
        self._parts = [(classes[kept], scores[kept], rows)]
