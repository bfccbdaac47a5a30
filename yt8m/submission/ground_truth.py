"""The true labels of a set of videos, from a CSV of lines `VIDEO_ID,L1 L2 L3`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from yt8m.data.label_rows import is_class, label_rows
from yt8m.data.ragged import Ragged
from yt8m.errors import UserError


class GroundTruth:
    """The labels of a set of videos.

    Args:
      ids: N video ids, all different.
      labels: class indices of each video, ascending.

    Raises:
      UserError: an id occurs twice.
    """

    def __init__(self, ids: Sequence[str], labels: Ragged):
        if len(labels) != len(ids):
            raise ValueError(f"{len(ids)} ids with {len(labels)} lists of labels")
        self.ids, self._labels = list(ids), labels
        self._row: dict[str, int] = {video: row for row, video in enumerate(ids)}
        if len(self._row) < len(ids):
            twice = next(v for row, v in enumerate(ids) if self._row[v] != row)
            raise UserError(
                f"the ground truth lists video {twice!r} more than once, so its labels are"
                " ambiguous."
            )

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, video: str) -> bool:
        return video in self._row

    def __getitem__(self, video: str) -> np.ndarray:
        """Return the classes of a video in ascending order."""
        return self._labels[self._row[video]]

    @property
    def num_classes(self) -> int:
        """The highest class that occurs, plus one."""
        return int(self._labels.values.max(initial=-1)) + 1

    def multi_hot(self, ids: Sequence[str], num_classes: int) -> np.ndarray:
        """Return the labels of videos `ids` as bool [B, K].

        Raises:
          UserError: a video is missing from the ground truth, or a label is not below K.
        """
        if self.num_classes > num_classes:
            raise UserError(
                f"the ground truth has label {self.num_classes - 1}, but there are {num_classes}"
                " classes; the labels belong to another release, or --num_classes is wrong."
            )
        out = np.zeros((len(ids), num_classes), bool)
        for row, video in enumerate(ids):
            if video not in self._row:
                raise UserError(
                    f"video {video!r} has no line in the ground truth; --labels needs a line for"
                    " every video."
                )
            out[row, self[video]] = True
        return out


def read_ground_truth(path: str) -> GroundTruth:
    """Read a CSV with a line `VIDEO_ID,L1 L2 L3` for each video, whose labels are numbers.

    A header is skipped, and a video may have no label. See `yt8m.data.label_rows` for other forms.

    Raises:
      UserError: the file cannot be read, or a line has another form (the message gives its number).
    """
    ids: list[str] = []
    labels: list[np.ndarray] = []
    for row in label_rows(path, "the ground truth"):
        if not all(map(is_class, row.labels)):
            raise UserError(
                f"{path}, line {row.line}: {row.text}; expected '<id>,<label> <label> ...', where a"
                " label is the number of a class."
            )
        ids.append(row.id)
        labels.append(np.unique(np.array([int(c) for c in row.labels], np.int32)))
    values = np.concatenate([np.zeros(0, np.int32), *labels])
    return GroundTruth(ids, Ragged.of_lengths(values, np.array([len(row) for row in labels], int)))
