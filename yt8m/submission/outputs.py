"""The choice of a submission's format: whole videos (2017, 2018) or five-second segments (2019)."""

from __future__ import annotations

from typing import Callable

from yt8m.errors import UserError
from yt8m.metrics.segment_ranking import MAX_PER_CLASS
from yt8m.submission.kaggle_segments import SegmentCsvWriter, read_whitelist
from yt8m.submission.kaggle_videos import CsvWriter
from yt8m.submission.writer import Position


def csv_writer(
    path: str,
    segments: bool,
    top_k: int = 20,
    segment_max_pred: int = 0,
    segment_label_ids_file: str = "",
    say: Callable[[str], None] = print,
    at: Position | None = None,
) -> CsvWriter | SegmentCsvWriter:
    """Return the writer of a submission.

    Args:
      path: local or remote.
      segments: whether the ids are segments `<video>:<start>`; the file then has a line per class.
      top_k: classes of each video in its line, or of each segment in whose ranking it takes part.
      segment_max_pred: maximum number of segments per class; 0 means 100,000.
      segment_label_ids_file: file of the classes to rank; "" means all classes.
      say: prints a line.
      at: position in what a killed process has left; None starts from the beginning.

    Raises:
      CannotGoOn: there is nothing to go on with.
      UserError: the path cannot be written, the file of classes cannot be read, or a setting for
        segments is given for whole videos.
    """
    if segments:
        whitelist = read_whitelist(segment_label_ids_file)
        if whitelist is None:
            say(
                "without --segment_label_ids_file every class gets a line, but the challenge"
                " requires only the 1000 classes of segment_label_ids.csv"
            )
        return SegmentCsvWriter(path, whitelist, top_k, segment_max_pred or MAX_PER_CLASS, at)
    given = _given(segment_max_pred, segment_label_ids_file)
    if given:
        raise UserError(
            f"{', '.join(given)}: applies only to five-second segments, but these are scores of"
            " whole videos; drop the flag (inference.py --segment_labels predicts segments)."
        )
    return CsvWriter(path, top_k, at)


def refuse_without_csv(segment_max_pred: int = 0, segment_label_ids_file: str = "") -> None:
    """Refuse settings of a submission when no submission is written.

    Raises:
      UserError: one of the settings is given.
    """
    given = _given(segment_max_pred, segment_label_ids_file)
    if given:
        raise UserError(
            f"{', '.join(given)}: applies only to the submission, and there is no --output_file;"
            " give one, or drop the flag (--output_scores keeps every class of every segment)."
        )


def _given(segment_max_pred: int, segment_label_ids_file: str) -> list[str]:
    # The challenge's limit is the starter code's default, so a command that gives it asks for
    # nothing.
    flags = {
        "--segment_max_pred": segment_max_pred not in (0, MAX_PER_CLASS),
        "--segment_label_ids_file": segment_label_ids_file,
    }
    return [flag for flag, value in flags.items() if value]
