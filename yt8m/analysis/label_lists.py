"""The labels of a whole data set, kept as one flat list.

Four bytes a label and eight a video: 120 MB for the 6 million videos of the full release. Frames
are not kept, and ids and places of the records only while they are read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Callable

import numpy as np

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.record_index import build_index
from yt8m.data.schema import Level
from yt8m.errors import UserError

_ROWS = 1 << 16  # videos whose labels are multiplied in one go


@dataclasses.dataclass(frozen=True)
class LabelLists:
    """The labels of N videos.

    Attributes:
      labels: int32 [L], the videos' labels one after the other, each label once a video, ascending.
      starts: int64 [N + 1]; video i has `labels[starts[i] : starts[i + 1]]`.
      num_classes: K.
    """

    labels: np.ndarray
    starts: np.ndarray
    num_classes: int

    @property
    def num_videos(self) -> int:
        """N."""
        return len(self.starts) - 1

    def each(self) -> np.ndarray:
        """Return how many labels each video has, int64 [N]."""
        return np.diff(self.starts)

    def positives(self) -> np.ndarray:
        """Return how many videos have each class, int64 [K]."""
        return np.bincount(self.labels, minlength=self.num_classes)

    def videos_within(self, first: int, end: int) -> int:
        """Return how many videos have at least one label in [first, end)."""
        inside = np.concatenate([[0], np.cumsum((self.labels >= first) & (self.labels < end))])
        return int(np.count_nonzero(inside[self.starts[1:]] > inside[self.starts[:-1]]))

    def cooccurrence(self, classes: Sequence[int]) -> np.ndarray:
        """Return YᵀY over `classes` [M]: int64 [M, M], how many videos have both (spec C.17)."""
        column = np.full(self.num_classes, -1, np.int64)
        column[np.asarray(classes)] = np.arange(len(classes))
        together = np.zeros([len(classes)] * 2, np.int64)
        for row in range(0, self.num_videos, _ROWS):
            starts = self.starts[row : row + _ROWS + 1]
            columns = column[self.labels[starts[0] : starts[-1]]]
            rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
            y = np.zeros([len(starts) - 1, len(classes)], np.float32)
            y[rows[columns >= 0], columns[columns >= 0]] = 1.0  # [rows, M]
            together += np.rint(y.T @ y).astype(np.int64)  # whole numbers below 2^24: exact
        return together


def read_label_lists(
    files: list[str],
    level: Level,
    num_classes: int,
    flag: str = "--data_pattern",
    bad_records: BadRecords | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> LabelLists:
    """Read the labels of every record of shards of either level.

    Args:
      files: shards.
      level: "video" or "frame"; decides how many records are held at a time, no more.
      num_classes: K.
      flag: names the shards in messages.
      bad_records: counts the broken; by default none is allowed.
      say: is told about progress, every few hundred thousand videos.

    Raises:
      UserError: a label beyond K, no labels at all, or too many broken records.
    """
    index = build_index(files, level, num_classes, bad_records, say)
    if not len(index.labels.values):
        raise UserError(
            f"{flag}: none of the {index.num_records:,} records has a label (a test split has"
            " none); name train or validate files."
        )
    return LabelLists(index.labels.values, index.labels.starts, num_classes)
