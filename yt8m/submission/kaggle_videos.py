"""The Kaggle submission of 2017 and 2018: one line a video, its best classes with their scores."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import NamedTuple

import numpy as np
from absl import logging

from yt8m.errors import UserError
from yt8m.files import WholeFile
from yt8m.metrics.top_k import top_k as best_of_rows
from yt8m.submission.ids import decode_ids, refuse_empty
from yt8m.submission.kaggle_segments import HEADER as SEGMENT_HEADER

HEADER = "VideoId,LabelConfidencePairs"
_OLD_HEADERS = ("videoid,labels", "videoid,labelscorepairs")  # seen in May and June 2018


def format_lines(ids: Sequence[str], classes: np.ndarray, scores: np.ndarray) -> str:
    """Return CSV lines `<id>,<class> <score> <class> <score> ...` (`%i %g`), each ended by a line feed.

    Args:
      ids: [B].
      classes: int [B, k], in the order wanted (descending score).
      scores: float [B, k].
    """
    batch, k = scores.shape
    cells = np.empty(
        (batch, 2 * k + 1), object
    )  # one % for the whole batch: 200,000 lines a second
    cells[:, 0] = ids
    cells[:, 1::2] = classes
    cells[:, 2::2] = scores.astype(np.float64)
    line = "%s," + " ".join(["%i %g"] * k) + "\n"
    return (line * batch) % tuple(cells.ravel().tolist())


class CsvWriter:
    """Writes a submission to `path`; whole or not at all.

    Args:
      path: local or remote.
      top_k: pairs a line, clamped to the number of classes (with a notice).

    Raises:
      UserError: unwritable path.
    """

    def __init__(self, path: str, top_k: int = 20):
        if top_k < 1:
            raise UserError(f"--top_k={top_k}: a line needs at least one pair.")
        self.path, self.top_k, self.num_videos = path, top_k, 0
        self._file = WholeFile(path, "--output_file")
        self._file.write(HEADER + "\n")

    def write(self, ids: Sequence[object], scores: np.ndarray) -> None:
        """Append videos: ids [B] (str or bytes), scores float [B, K].

        Raises:
          UserError: an id that no line can carry, or a score that is NaN.
        """
        if len(ids) != len(scores):
            raise ValueError(f"{len(ids)} ids with {len(scores)} rows of scores")
        if scores.shape[1] < self.top_k:
            logging.warning(
                "--top_k=%d is above the %d classes; %d are written.",
                self.top_k,
                *[scores.shape[1]] * 2,
            )
            self.top_k = scores.shape[1]
        if len(ids) == 0:
            return
        texts = decode_ids(ids)
        refuse_empty(texts)
        values, classes = best_of_rows(scores, self.top_k)
        self._file.write(format_lines(texts, classes, values))
        self.num_videos += len(ids)

    def close(self) -> None:
        """Finish the file and give it its name."""
        self._file.close()

    def abandon(self) -> None:
        """Delete what was written."""
        self._file.abandon()

    def __enter__(self) -> CsvWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abandon() if kind else self.close()


class CsvRow(NamedTuple):
    """A line of a submission: id, classes int64 [k], scores float32 [k], in the line's order."""

    id: str
    classes: np.ndarray
    scores: np.ndarray


def read_csv(path: str, num_classes: int | None = None) -> Iterator[CsvRow]:
    """Yield the lines of a submission, one at a time.

    Accepts any of the headers that were ever in use, or none, `class score` and `class:score`
    pairs, Windows line ends and blank lines.

    Args:
      path: local or remote.
      num_classes: K, to check the classes against.

    Raises:
      UserError: no such file, or a bad line (with its number).
    """
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path, "r") as source:
            for number, line in enumerate(source, 1):
                line = line.strip().lstrip("\ufeff")
                if number == 1 and line == SEGMENT_HEADER:
                    raise UserError(
                        f"{path} is a submission of five-second segments, which holds no scores; name what"
                        " inference.py --output_scores wrote."
                    )
                if not line or (number == 1 and _is_header(line)):
                    continue
                yield _parse(line, path, number, num_classes)
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        reason = getattr(error, "message", None) or str(error)
        raise UserError(f"cannot read {path!r} as a submission CSV: {reason}.") from None


def _is_header(line: str) -> bool:
    lowered = line.lower().replace(" ", "")
    return lowered == HEADER.lower() or lowered in _OLD_HEADERS


def _parse(line: str, path: str, number: int, num_classes: int | None) -> CsvRow:
    def bad(what: str) -> UserError:
        shown = line if len(line) <= 60 else line[:60] + "..."
        return UserError(
            f"{path}, line {number}: {what} in {shown!r}; expected '<id>,<class> <score> <class> <score> ...'."
        )

    video, comma, pairs = line.partition(",")
    if not comma:
        raise bad("no comma")
    if not video.strip():
        raise bad("no id")
    tokens = pairs.replace(":", " ").split()
    if len(tokens) % 2:
        raise bad("a class without a score")
    try:
        classes = [int(c) for c in tokens[::2]]
        scores = [float(s) for s in tokens[1::2]]
    except ValueError as error:
        raise bad(str(error)) from None
    if any(c < 0 or (num_classes is not None and c >= num_classes) for c in classes):
        limit = "" if num_classes is None else f" (there are {num_classes}, from 0)"
        wrong = next(c for c in classes if c < 0 or (num_classes is not None and c >= num_classes))
        raise bad(f"class {wrong} is not one of the classes{limit}")
    if len(set(classes)) < len(classes):
        raise bad("a class twice")
    if not all(math.isfinite(s) for s in scores):
        raise bad("a score that is not a finite number")
    return CsvRow(video.strip(), np.array(classes, np.int64), np.array(scores, np.float32))
