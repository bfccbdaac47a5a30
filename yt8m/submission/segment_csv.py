"""The Kaggle submission of 2019: one line a class, its five-second segments from the surest down."""

from __future__ import annotations

from typing import Iterator, List, Optional, Sequence, Tuple

import numpy as np

from yt8m.errors import UserError
from yt8m.metrics.top_k import top_k as best_of_rows
from yt8m.submission.ids import decode_ids
from yt8m.submission.whole_file import WholeFile

HEADER = "Class,Segments"
_PENDING = 4_000_000  # pairs held before the lists are cut to their limit again


def read_whitelist(path: str) -> Optional[np.ndarray]:
    """Return the class indices of a `segment_label_ids.csv`, int64; None (all classes) for an empty path.

    Lines that are not integers, such as the header, are skipped.

    Raises:
      UserError: no such file, or no integer in it.
    """
    if not path:
        return None
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path, "r") as source:
            cells = [line.strip() for line in source]
    except tf.errors.OpError as error:
        raise UserError(f"cannot read --segment_label_ids_file={path!r}: {error.message}.") from None
    classes = [int(c) for c in cells if c.isdigit()]
    if not classes:
        raise UserError(f"--segment_label_ids_file={path!r} holds no class index; expected one integer a line.")
    return np.array(list(dict.fromkeys(classes)), np.int64)


class SegmentCsvWriter:
    """Collects segments' scores, and writes the best segments of each class.

    Source: starter code, inference with --segment_labels. Ranks are taken in memory at full precision
    (the starter ranks the six digits of a text file). Of each class at most `max_per_class` segments
    are held, plus the pairs of the last few batches.

    Args:
      path: local or remote.
      whitelist: classes that are asked for, or None for all.
      top_k: classes of each segment that take part.
      max_per_class: segments a line at most (`--segment_max_pred`).

    Raises:
      UserError: unwritable path.
    """

    def __init__(
        self, path: str, whitelist: Optional[Sequence[int]] = None, top_k: int = 20, max_per_class: int = 100_000
    ):
        if top_k < 1 or max_per_class < 1:
            raise UserError(f"--top_k={top_k} and --segment_max_pred={max_per_class} are at least 1.")
        self._file = WholeFile(path, "--output_file")
        self._whitelist = None if whitelist is None else np.sort(np.asarray(whitelist, np.int64))
        self._top_k, self._max = top_k, max_per_class
        self._ids: List[str] = []
        self._parts: List[Tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # (classes, scores, rows of _ids)
        self._pending = 0

    def write(self, ids: Sequence[object], scores: np.ndarray) -> None:
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
        self._ids.extend(decode_ids(ids))
        self._parts.append(
            (classes.ravel().astype(np.int32), values.ravel(), np.repeat(rows, values.shape[1]).astype(np.int64))
        )
        self._pending += values.size
        if self._pending >= _PENDING:
            self._cut()

    def close(self) -> None:
        """Rank, write one line a class in the order of the classes, and give the file its name."""
        self._cut()
        self._file.write(HEADER + "\n")
        if self._parts:
            classes, _, rows = self._parts[0]
            starts = np.flatnonzero(np.diff(classes, prepend=-1))
            for start, end in zip(starts, np.append(starts[1:], len(classes))):
                self._file.write(f"{classes[start]},{' '.join([self._ids[r] for r in rows[start:end]])}\n")
        self._file.close()

    def abandon(self) -> None:
        """Delete what was written."""
        self._file.abandon()

    def __enter__(self) -> "SegmentCsvWriter":
        return self

    def __exit__(self, kind, error, trace) -> None:  # type: ignore[no-untyped-def]
        self.abandon() if kind else self.close()

    def _cut(self) -> None:
        """Sort pairs by class and descending score, keep the first `max_per_class` of each, drop ids not in use."""
        self._pending = 0
        if not self._parts:
            return
        classes, scores, rows = (np.concatenate(column) for column in zip(*self._parts))
        order = np.lexsort((rows, -scores, classes))  # equal scores: the segment that came first
        classes, scores, rows = classes[order], scores[order], rows[order]
        place = np.arange(len(classes)) - np.searchsorted(classes, classes)  # place in the class's list
        kept = place < self._max
        used, rows = np.unique(rows[kept], return_inverse=True)
        self._ids = [self._ids[r] for r in used]
        self._parts = [(classes[kept], scores[kept], rows)]


def read_segment_csv(path: str) -> Iterator[Tuple[int, List[str]]]:
    """Yield (class, [`<video>:<start>`, ...]) of each line, surest first; the header may be absent.

    Raises:
      UserError: no such file, or a bad line (with its number).
    """
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path, "r") as source:
            for number, line in enumerate(source, 1):
                line = line.strip()
                head, comma, tail = line.partition(",")
                if not line or (number == 1 and head.lower().startswith("class")):
                    continue
                segments = tail.split()
                if not comma or not head.isdigit() or not all(s.rpartition(":")[2].isdigit() for s in segments):
                    raise UserError(
                        f"{path}, line {number}: {line[:60]!r}; expected '<class>,<video>:<start> <video>:<start> ...'."
                    )
                yield int(head), segments
    except tf.errors.OpError as error:
        raise UserError(f"cannot read {path!r}: {error.message}.") from None
