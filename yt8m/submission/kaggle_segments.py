"""The Kaggle submission of 2019: one line per class with its five-second segments, best first."""

from __future__ import annotations

import glob
import os
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Callable

import numpy as np

from yt8m.data.label_rows import is_class
from yt8m.errors import UserError
from yt8m.files import CannotGoOn, WholeFile, read_text
from yt8m.metrics.segment_ranking import MAX_PER_CLASS, SegmentRanking
from yt8m.stored import read_arrays
from yt8m.submission.ids import USE_SCORES, as_texts, refuse_empty, refuse_signs
from yt8m.submission.writer import Position, PredictionWriter
from yt8m.text_lines import numbered_lines, shortened

HEADER = "Class,Segments"
# How submissions begin, of segments and of videos, in lower case: what one may replace.
HEADS = (HEADER.lower(), "videoid,label", "videoid, label")
_SEGMENT_BYTES = 10  # " abcd:125", about


def read_whitelist(path: str) -> list[int] | None:
    """Return the class indices of a `segment_label_ids.csv`; None (all classes) for an empty path.

    Lines that are not integers, such as the header, are skipped.

    Args:
      path: local, remote (gs://), or an address (http:// or https://), which is downloaded.

    Raises:
      UserError: the file cannot be read, or contains no integer.
    """
    if not path:
        return None
    import tensorflow as tf

    try:
        if path.startswith(("http://", "https://")):
            with urllib.request.urlopen(path, timeout=60) as page:
                text = page.read().decode("utf-8", "replace")
        else:
            text = read_text(path)
    except (tf.errors.OpError, OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"cannot read --segment_label_ids_file={path!r}: {getattr(error, 'message', error)}."
        ) from None
    classes = [int(line) for line in map(str.strip, text.splitlines()) if is_class(line)]
    if not classes:
        raise UserError(
            f"--segment_label_ids_file={path!r} contains no class index; expected one integer per"
            " line."
        )
    return list(dict.fromkeys(classes))


class SegmentCsvWriter(PredictionWriter):
    """Writes the best segments of each class when it is closed.

    Each position has the ranking so far in a file of its own, `path + ".partial.N.npz"`.

    Args:
      path: local or remote.
      whitelist, top_k, max_per_class: see `SegmentRanking`.
      at: position in what a killed process has left; None starts from the beginning.

    Raises:
      UserError: the path cannot be written.
      CannotGoOn: the ranking of that position is not there.
    """

    def __init__(
        self,
        path: str,
        whitelist: Sequence[int] | None = None,
        top_k: int = 20,
        max_per_class: int = MAX_PER_CLASS,
        at: Position | None = None,
    ):
        self._ranking = SegmentRanking(whitelist, top_k, max_per_class)
        self._lines = None if whitelist is None else len(whitelist)
        self._top_k, self._max_per_class = top_k, max_per_class
        self._number = 0 if at is None else int(at["number"])
        self._saved = path + ".partial."
        if at is not None:
            self._restore()
        self._file = WholeFile(path, "--output_file", what="a submission", heads=HEADS)
        self._remove_saved(but=self._number)

    def write(self, ids: Sequence[object], scores: np.ndarray) -> None:
        """Append segments; see `SegmentRanking.add`.

        Args:
          ids: `<video>:<start>` [S], str or bytes.
          scores: float [S, K].

        Raises:
          UserError: no line can contain an id.
        """
        texts = as_texts(ids)
        self.check_ids(texts)
        self._ranking.add(texts, scores)

    def check_ids(self, texts: Sequence[str]) -> None:
        """Refuse ids that the blanks between the segments of a line would cut."""
        refuse_empty(texts)
        what = "a comma or white space, which no line of a submission of segments can have"
        refuse_signs(texts, r"[,\s]", what, USE_SCORES)

    def position(self) -> Position | None:
        """Return the number of the file with the ranking so far; None if the CSV is remote."""
        if self._file.position() is None:
            return None
        # The file of the position before is kept: that position may be the one that was noted.
        self._remove_saved(but=self._number)
        self._number += 1
        with open(f"{self._saved}{self._number}.npz", "wb") as out:
            save: Callable[..., None] = np.savez  # whose own type takes no names
            save(out, **self._ranking.state())
            out.flush()
            os.fsync(out.fileno())
        return {"number": self._number}

    def _restore(self) -> None:
        path = f"{self._saved}{self._number}.npz"
        try:
            self._ranking.restore(read_arrays(path))
        except Exception as error:  # Damaged content can raise almost any class.
            raise CannotGoOn(f"{path} cannot be read ({error})") from None

    def _remove_saved(self, but: int = 0) -> None:
        if "://" in self._saved:
            return
        for path in glob.glob(glob.escape(self._saved) + "*.npz"):
            if path != f"{self._saved}{but}.npz":
                os.remove(path)

    def leave(self) -> None:
        """Close the file, and keep the rankings of the last positions."""
        self._file.leave()

    def estimated_bytes(self, examples: int) -> int:
        """Return the bytes of the lines at their longest."""
        ranked = examples * self._top_k
        if self._lines is not None:
            ranked = min(ranked, self._lines * self._max_per_class)
        return ranked * _SEGMENT_BYTES

    def close(self) -> None:
        """Rank the segments, write one line per class in ascending order, and rename the file."""
        self._file.write(HEADER + "\n")
        for label, segments in self._ranking.lists():
            self._file.write(f"{label},{' '.join(segments)}\n")
        self._file.close()
        self._remove_saved()

    def abandon(self) -> None:
        """Delete what was written."""
        self._file.abandon()
        self._remove_saved()


def read_segment_csv(path: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (class, [`<video>:<start>`, ...]) for each line, best segments first.

    The header may be absent.

    Raises:
      UserError: the file cannot be read, or a line has another form (the message gives its number).
    """
    for number, line in numbered_lines(path, "the submission"):
        head, comma, tail = line.partition(",")
        if number == 1 and head.lower().startswith("class"):
            continue
        segments = tail.split()
        starts = (segment.rpartition(":")[2] for segment in segments)
        if not comma or not is_class(head) or not all(map(is_class, starts)):
            raise UserError(
                f"{path}, line {number}: {shortened(line)}; expected '<class>,<video>:<start>"
                " <video>:<start> ...'."
            )
        yield int(head), segments
