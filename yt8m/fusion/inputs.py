"""The inputs of a fusion: score folders and submission CSVs, both read as rows of scores."""

from __future__ import annotations

import abc
from collections.abc import Sequence

import numpy as np
from absl import logging

from yt8m.errors import UserError
from yt8m.submission.kaggle_videos import read_csv
from yt8m.submission.score_formats import is_stored_scores, open_scores


class FusionInput(abc.ABC):
    """Scores of N videos.

    Attributes:
      name: its path.
      ids: N video ids.
      num_classes: K, or None if the file does not say.
      segments: whether the rows are five-second segments instead of whole videos.
      class_names: the names of the K classes, or None if the file has none.
    """

    name: str
    ids: list[str]
    num_classes: int | None = None
    segments: bool = False
    class_names: list[str] | None = None

    @abc.abstractmethod
    def covered(self, num_classes: int) -> np.ndarray:
        """Return bool [K], the classes that the model was trained on."""

    @abc.abstractmethod
    def rows(self, rows: np.ndarray, num_classes: int) -> np.ndarray:
        """Return the scores of the videos `rows` [n] as float32 [n, K]."""


class StoredInput(FusionInput):
    """A score folder of any format."""

    def __init__(self, path: str):
        self._stored = stored = open_scores(path)
        self.name, self.ids, self.num_classes = path, stored.ids, stored.num_classes
        self.segments = bool(stored.meta.get("segments"))
        self.class_names = stored.meta.get("class_names")

    def covered(self, num_classes: int) -> np.ndarray:
        """Return bool [K]: "covered_classes" of the metadata, or else all classes."""
        listed = self._stored.meta.get("covered_classes")
        if listed is None:
            return np.ones(num_classes, bool)
        known = np.zeros(num_classes, bool)
        known[np.asarray(listed, np.int64)] = True
        return known

    def rows(self, rows: np.ndarray, num_classes: int) -> np.ndarray:
        """Return the scores of the videos `rows` [n] as float32 [n, K]."""
        return self._stored.dense(rows)


class CsvInput(FusionInput):
    """A submission CSV, kept in memory at 8 bytes per pair; pairs that it does not list score 0."""

    def __init__(self, path: str):
        self.name, self.ids = path, []
        classes, scores, counts = [], [], []
        for row in read_csv(path):
            self.ids.append(row.id)
            counts.append(len(row.classes))
            classes.append(row.classes.astype(np.int32))
            scores.append(row.scores)
        if not self.ids:
            raise UserError(f"--inputs: {path!r} has no line for any video.")
        self._classes, self._scores = np.concatenate(classes), np.concatenate(scores)
        low, high = self._scores.min(initial=0.0), self._scores.max(initial=1.0)
        if low < 0.0 or high > 1.0:
            logging.warning(
                "--inputs: %s has scores from %g to %g, and a fusion takes probabilities.",
                path,
                self._scores.min(),
                self._scores.max(),
            )
        self._starts = np.concatenate([[0], np.cumsum(counts)])

    @property
    def highest_class(self) -> int:
        """The highest class on any line, or -1."""
        return int(self._classes.max(initial=-1))

    def covered(self, num_classes: int) -> np.ndarray:
        """Return bool [K], all true: a class on no line may simply never be among the best."""
        return np.ones(num_classes, bool)

    def rows(self, rows: np.ndarray, num_classes: int) -> np.ndarray:
        """Return the scores of the videos `rows` [n] as float32 [n, K]."""
        out = np.zeros((len(rows), num_classes), np.float32)
        starts = self._starts[rows]
        counts = self._starts[rows + 1] - starts
        into = np.repeat(np.arange(len(rows)), counts)
        before = np.cumsum(counts) - counts
        pairs = np.arange(counts.sum()) + np.repeat(starts - before, counts)
        out[into, self._classes[pairs]] = self._scores[pairs]
        return out


def open_input(path: str) -> FusionInput:
    """Open a score folder of any format, or a CSV.

    Raises:
      UserError: the path is neither, or cannot be read.
    """
    import tensorflow as tf

    if is_stored_scores(path):
        return StoredInput(path)
    if not tf.io.gfile.exists(path):
        raise UserError(
            f"--inputs: {path!r} does not exist; name score folders (inference.py --output_scores)"
            " or CSVs."
        )
    return CsvInput(path)


def hold_segments(inputs: Sequence[FusionInput]) -> bool:
    """Whether the inputs contain five-second segments instead of whole videos.

    Raises:
      UserError: the inputs differ in this.
    """
    segments = [i.name for i in inputs if i.segments]
    videos = [i.name for i in inputs if not i.segments]
    if segments and videos:
        raise UserError(
            f"--inputs: {', '.join(segments)} contain scores of five-second segments, but"
            f" {', '.join(videos)} those of whole videos; fuse inputs of one kind (inference.py"
            " --segment_labels predicts segments)."
        )
    return bool(segments)


def common_num_classes(
    inputs: Sequence[FusionInput], num_classes: int = 0, true_classes: int = 0
) -> int:
    """Return K.

    If all inputs are CSVs, K is `num_classes`, or else one more than the highest class in the CSVs
    and the ground truth.

    Args:
      inputs: all inputs.
      num_classes: value of --num_classes; 0 if it is not given.
      true_classes: one more than the highest class in the ground truth.

    Raises:
      UserError: the inputs differ, or a CSV contains a class that is not below K.
    """
    known = {i.name: i.num_classes for i in inputs if i.num_classes is not None}
    if num_classes:
        known["--num_classes"] = num_classes
    if len(set(known.values())) > 1:
        listed = ", ".join(f"{name} {k}" for name, k in known.items())
        raise UserError(
            f"the inputs have different numbers of classes: {listed}. Fuse models with the same"
            " vocabulary."
        )
    highest = {i.name: i.highest_class for i in inputs if isinstance(i, CsvInput)}
    if not known:
        return max(true_classes, max(highest.values()) + 1)
    common = next(iter(known.values()))
    for name, last in highest.items():
        if last >= common:
            raise UserError(
                f"{name} contains class {last}, but there are {common} classes"
                f" ({', '.join(known)})."
            )
    return common
