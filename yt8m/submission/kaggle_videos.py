"""The Kaggle submission of 2017 and 2018: one line per video with its best classes and scores."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from absl import logging

from yt8m.errors import UserError
from yt8m.files import WholeFile
from yt8m.metrics.top_k import top_k as best_of_rows
from yt8m.settings import MOST_CLASSES
from yt8m.submission.ids import ID_BYTES, USE_SCORES, as_texts, refuse_empty, refuse_signs
from yt8m.submission.kaggle_segments import HEADER as SEGMENT_HEADER
from yt8m.submission.kaggle_segments import HEADS
from yt8m.submission.writer import Position, PredictionWriter
from yt8m.text_lines import numbered_lines, shortened

HEADER = "VideoId,LabelConfidencePairs"
_SIGNS = r"[,\n\r]|(?:^|\0)\s|\s(?:$|\0)"  # in an id: lines and ids are stripped when they are read
_PAIR_BYTES = 14  # " 1234 0.123456"
_HEADERS = (HEADER.lower(), "videoid,labels", "videoid,labelscorepairs")  # the last two: 2018


def format_lines(ids: Sequence[str], classes: np.ndarray, scores: np.ndarray) -> str:
    """Return CSV lines `<id>,<class> <score> <class> <score> ...` (`%i %g`).

    Args:
      ids: [B].
      classes: int [B, k], in descending order of the score.
      scores: float [B, k].
    """
    batch, k = scores.shape
    # One `%` for the whole batch formats 200,000 lines per second.
    cells = np.empty((batch, 2 * k + 1), object)
    cells[:, 0] = ids
    cells[:, 1::2] = classes
    cells[:, 2::2] = scores.astype(np.float64)
    line = "%s," + " ".join(["%i %g"] * k) + "\n"
    return (line * batch) % tuple(cells.ravel().tolist())


class CsvWriter(PredictionWriter):
    """Writes a submission.

    Args:
      path: local or remote.
      top_k: pairs per line; with fewer classes than that, all of them are written, and a warning
        is logged.
      at: position in the unfinished file of a killed process; None starts from the beginning.

    Raises:
      UserError: the path cannot be written, or `top_k` is below 1.
      CannotGoOn: there is no such unfinished file.
    """

    def __init__(self, path: str, top_k: int = 20, at: Position | None = None):
        if top_k < 1:
            raise UserError(f"--top_k={top_k}: a line needs at least one pair.")
        self._top_k = top_k
        self._file = WholeFile(
            path, "--output_file", None if at is None else at["bytes"], "a submission", HEADS
        )
        if at is None:
            self._file.write(HEADER + "\n")

    def write(self, ids: Sequence[object], scores: np.ndarray) -> None:
        """Append videos.

        Args:
          ids: [B], str or bytes.
          scores: float [B, K].

        Raises:
          UserError: no line can contain an id, or a score is NaN.
        """
        if len(ids) != len(scores):
            raise ValueError(f"{len(ids)} ids with {len(scores)} rows of scores")
        classes = scores.shape[1]
        if classes < self._top_k:
            logging.warning(
                "--top_k=%d exceeds the %d classes; %d are written per video.",
                self._top_k,
                classes,
                classes,
            )
            self._top_k = classes
        if len(ids) == 0:
            return
        best_scores, best_classes = best_of_rows(scores, self._top_k)
        self.write_best(ids, best_classes, best_scores)

    def write_best(self, ids: Sequence[object], classes: np.ndarray, scores: np.ndarray) -> None:
        """Append videos whose best classes are known.

        Args:
          ids: [B], str or bytes.
          classes: int [B, k], in descending order of the score.
          scores: float [B, k].

        Raises:
          UserError: no line can contain an id.
        """
        texts = as_texts(ids)
        self.check_ids(texts)
        best = slice(self._top_k)
        self._file.write(format_lines(texts, classes[:, best], scores[:, best]))

    def check_ids(self, texts: Sequence[str]) -> None:
        """Refuse ids that would end before or after the first comma of their line."""
        refuse_empty(texts)
        what = "a comma, a line break or white space at an end, which no submission can have"
        refuse_signs(texts, _SIGNS, what, USE_SCORES)

    def position(self) -> Position | None:
        """Return the bytes of the file, once they are on the disk; None if the file is remote."""
        written = self._file.position()
        return None if written is None else {"bytes": written}

    def leave(self) -> None:
        """Close the file without renaming it."""
        self._file.leave()

    def estimated_bytes(self, examples: int) -> int:
        """Return the bytes of as many lines with ids and scores of the usual length."""
        return examples * (ID_BYTES + _PAIR_BYTES * self._top_k)

    def close(self) -> None:
        """Finish the file and rename it."""
        self._file.close()

    def abandon(self) -> None:
        """Delete what was written."""
        self._file.abandon()


class CsvRow(NamedTuple):
    """A line of a submission: id, classes int64 [k] and scores float32 [k], in the line's order."""

    id: str
    classes: np.ndarray
    scores: np.ndarray


def read_csv(path: str, num_classes: int | None = None) -> Iterator[CsvRow]:
    """Yield the lines of a submission one at a time.

    The reader accepts all headers that were ever used, or none; pairs `class score` and
    `class:score`; Windows line ends and blank lines.

    Args:
      path: local or remote.
      num_classes: K, an exclusive upper bound of the classes.

    Raises:
      UserError: the file cannot be read, or a line has another form (the message gives its number).
    """
    for number, line in numbered_lines(path, "the submission"):
        if number == 1 and line == SEGMENT_HEADER:
            raise UserError(
                f"{path} is a submission of five-second segments, which contains no scores; name a"
                " folder that inference.py --output_scores wrote."
            )
        if number == 1 and line.lower().replace(" ", "") in _HEADERS:
            continue
        try:
            row = _parse(line, num_classes)
        except ValueError as error:
            raise UserError(
                f"{path}, line {number}: {error} in {shortened(line)}; expected"
                " '<id>,<class> <score> <class> <score> ...'."
            ) from None
        yield row


def _parse(line: str, num_classes: int | None) -> CsvRow:
    """Return a line's content.

    Raises:
      ValueError: what is wrong with the line.
    """
    video, comma, pairs = line.partition(",")
    if not comma:
        raise ValueError("no comma")
    if not video.strip():
        raise ValueError("no id")
    tokens = pairs.replace(":", " ").split()
    if len(tokens) % 2:
        raise ValueError("a class without a score")
    classes = [int(c) for c in tokens[::2]]
    scores = [float(s) for s in tokens[1::2]]
    end = MOST_CLASSES if num_classes is None else num_classes
    for c in classes:
        if not 0 <= c < end:
            raise ValueError(f"class {c} is out of range (0 to {end - 1})")
    if len(set(classes)) < len(classes):
        raise ValueError("a repeated class")
    if not all(map(math.isfinite, scores)):
        raise ValueError("a score that is not a finite number")
    return CsvRow(video.strip(), np.array(classes, np.int64), np.array(scores, np.float32))
