"""One input of a fusion, be it a score folder or a submission CSV, as rows of scores on demand."""

from __future__ import annotations

import numpy as np

from yt8m.errors import UserError
from yt8m.submission.kaggle_videos import read_csv
from yt8m.submission.score_files import ScoreFile, is_score_folder


class ScoreFolderSource:
    """Rows of a memory-mapped score folder.

    Attributes:
      name: its path.
      ids: N video ids.
      num_classes: K.
      covered: bool [K], from "covered_classes" of its meta.json; all where there is none.
      labels_path: its ground truth, or None.
      segments: whether its rows are five-second segments, not whole videos.
    """

    def __init__(self, path: str):
        self._file = ScoreFile(path)
        self.segments = bool(self._file.meta.get("segments"))
        self.name, self.ids, self.labels_path = path, self._file.ids, self._file.labels_path
        self.num_classes: int | None = self._file.num_classes

    def covered(self, num_classes: int) -> np.ndarray:
        """Return bool [K]: the classes that the model knows."""
        listed = self._file.meta.get("covered_classes")
        if listed is None:
            return np.ones(num_classes, bool)
        known = np.zeros(num_classes, bool)
        known[np.asarray(listed, np.int64)] = True
        return known

    def rows(self, rows: np.ndarray, num_classes: int) -> np.ndarray:
        """Return float32 [n, K] of the videos `rows` [n]."""
        if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and np.all(np.diff(rows) == 1):
            return np.asarray(self._file.scores[rows[0] : rows[-1] + 1], np.float32)  # one read
        return np.asarray(self._file.scores[rows], np.float32)


class CsvSource:
    """Rows of a submission CSV: pairs that it does not list score 0. Held in memory, 8 bytes a pair."""

    labels_path = None
    segments = False  # a submission of segments has no scores

    def __init__(self, path: str):
        self.name, self.ids = path, []  # type: str, List[str]
        self.num_classes: int | None = None  # a CSV does not say
        classes, scores, counts = [], [], []
        for row in read_csv(path):
            self.ids.append(row.id)
            counts.append(len(row.classes))
            classes.append(row.classes.astype(np.int32))
            scores.append(row.scores)
        if not self.ids:
            raise UserError(f"--inputs: {path!r} has no line of a video.")
        self._classes, self._scores = np.concatenate(classes), np.concatenate(scores)
        self._starts = np.concatenate([[0], np.cumsum(counts)])

    @property
    def highest_class(self) -> int:
        """The highest class of any line, or -1."""
        return int(self._classes.max(initial=-1))

    def covered(self, num_classes: int) -> np.ndarray:
        """Return bool [K]: all, because a class that is nowhere listed may just never be among the best."""
        return np.ones(num_classes, bool)

    def rows(self, rows: np.ndarray, num_classes: int) -> np.ndarray:
        """Return float32 [n, K] of the videos `rows` [n]."""
        out = np.zeros((len(rows), num_classes), np.float32)
        counts = self._starts[rows + 1] - self._starts[rows]
        into = np.repeat(np.arange(len(rows)), counts)
        pairs = np.arange(counts.sum()) + np.repeat(
            self._starts[rows] - (np.cumsum(counts) - counts), counts
        )
        out[into, self._classes[pairs]] = self._scores[pairs]
        return out


def open_source(path: str):  # type: ignore[no-untyped-def]
    """Return the source of a score folder or a CSV.

    Raises:
      UserError: neither, or unreadable.
    """
    import tensorflow as tf

    if is_score_folder(path) or tf.io.gfile.isdir(path):
        return ScoreFolderSource(path)
    if not tf.io.gfile.exists(path):
        raise UserError(
            f"--inputs: {path!r} does not exist; name score folders (inference.py --output_scores) or CSVs."
        )
    return CsvSource(path)


def all_of_segments(sources) -> bool:  # type: ignore[no-untyped-def]
    """Return whether the sources hold five-second segments, not whole videos.

    Raises:
      UserError: some do and some do not.
    """
    segments = [s.name for s in sources if s.segments]
    if segments and len(segments) < len(sources):
        videos = ", ".join(s.name for s in sources if not s.segments)
        raise UserError(
            f"--inputs: {', '.join(segments)} hold scores of five-second segments, {videos} of whole videos; fuse one kind"
            " (inference.py --segment_labels predicts segments)."
        )
    return bool(segments)


def common_num_classes(sources, num_classes: int = 0, labels: int = 0) -> int:  # type: ignore[no-untyped-def]
    """Return K of all sources.

    Where only CSVs are fused that is `num_classes`, or (0: not given) one more than the highest class in them and in the
    ground truth, which has classes below `labels`.

    Raises:
      UserError: the sources differ, or a CSV has a class beyond K.
    """
    known = {s.name: s.num_classes for s in sources if s.num_classes is not None}
    if num_classes:
        known["--num_classes"] = num_classes
    if len(set(known.values())) > 1:
        listed = ", ".join(f"{name} {k}" for name, k in known.items())
        raise UserError(
            f"the inputs differ in their number of classes: {listed}. Fuse models of one vocabulary."
        )
    highest = {s.name: s.highest_class for s in sources if isinstance(s, CsvSource)}
    width = next(iter(known.values())) if known else max(labels, max(highest.values()) + 1)
    for name, last in highest.items():
        if last >= width:
            raise UserError(
                f"{name} has class {last}, but there are {width} classes ({', '.join(known)})."
            )
    return width
