"""The labels of a whole data set in memory.

They take four bytes per label and eight per video, 120 MB for the 6 million videos of the full
release. Ids and positions of the records are kept only while the records are read, and frames are
not kept at all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Callable

import numpy as np

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.ragged import Ragged
from yt8m.data.record_index import build_index
from yt8m.data.schema import Level
from yt8m.errors import UserError

_ROWS = 1 << 16  # videos whose labels are multiplied at a time


@dataclasses.dataclass(frozen=True)
class LabelLists:
    """The labels of N videos.

    Attributes:
      labels: class indices of each video, int32, ascending and without duplicates.
      num_classes: K.
    """

    labels: Ragged
    num_classes: int

    @property
    def num_videos(self) -> int:
        """N."""
        return len(self.labels)

    @property
    def num_labels(self) -> int:
        """The number of labels of all videos together."""
        return len(self.labels.values)

    def positives(self) -> np.ndarray:
        """Return the number of videos of each class, int64 [K]."""
        return self.labels.counts(self.num_classes)

    def videos_within(self, first: int, end: int) -> int:
        """Return the number of videos with at least one label in [first, end)."""
        labels, starts = self.labels.values, self.labels.starts
        inside = np.concatenate([[0], np.cumsum((labels >= first) & (labels < end))])
        return int(np.count_nonzero(inside[starts[1:]] > inside[starts[:-1]]))

    def cooccurrence(self, classes: Sequence[int]) -> np.ndarray:
        """Return YᵀY over `classes` [M]: int64 [M, M], the number of videos with both.

        Source: docs/sources.md#label-figures.
        """
        column = np.full(self.num_classes, -1, np.int64)
        column[np.asarray(classes)] = np.arange(len(classes))
        together = np.zeros([len(classes)] * 2, np.int64)
        for row in range(0, self.num_videos, _ROWS):
            starts = self.labels.starts[row : row + _ROWS + 1]
            columns = column[self.labels.values[starts[0] : starts[-1]]]
            rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
            y = np.zeros([len(starts) - 1, len(classes)], np.float32)
            y[rows[columns >= 0], columns[columns >= 0]] = 1.0  # [rows, M]
            together += np.rint(y.T @ y).astype(np.int64)  # exact: whole numbers below 2^24
        return together


def read_label_lists(
    files: list[str],
    level: Level,
    num_classes: int,
    flag: str = "--data_pattern",
    bad_records: BadRecords | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> LabelLists:
    """Read the labels of every record.

    Args:
      files: shards of one level.
      level: "video" or "frame"; it only determines how many records are parsed at a time.
      num_classes: K.
      flag: the flag that gave the files; error messages name it.
      bad_records: counts corrupt records; by default none is allowed.
      say: reports progress, every few hundred thousand records.

    Raises:
      UserError: a label is not below K, there are no labels, or too many records are corrupt.
    """
    index = build_index(files, level, num_classes, bad_records, say)
    if not len(index.labels.values):
        raise UserError(
            f"{flag}: none of the {index.num_records:,} records has a label (a test split has"
            " none); name train or validate files."
        )
    return LabelLists(index.labels, num_classes)
