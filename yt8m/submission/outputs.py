"""The submission that fits what was predicted: of whole videos (2017, 2018), or of five-second segments (2019)."""

from __future__ import annotations

from typing import Callable

from yt8m.errors import UserError
from yt8m.metrics.segment_ranking import MAX_PER_CLASS
from yt8m.submission.kaggle_segments import SegmentCsvWriter, read_whitelist
from yt8m.submission.kaggle_videos import CsvWriter


def csv_writer(
    path: str,
    segments: bool,
    top_k: int = 20,
    segment_max_pred: int = 0,
    segment_label_ids_file: str = "",
    say: Callable[[str], None] = print,
) -> CsvWriter | SegmentCsvWriter:
    """Return the writer of a submission.

    Args:
      path: local or remote.
      segments: the ids are `<video>:<start>`, and the file is one line a class.
      top_k: classes of each video or segment that take part.
      segment_max_pred: segments a class at most; 0: not given, which is 100,000.
      segment_label_ids_file: the classes to list; "" is all.
      say: prints.

    Raises:
      UserError: unwritable path, unreadable classes, or a setting of segments for whole videos.
    """
    given = _given(segment_max_pred, segment_label_ids_file)
    if segments:
        whitelist = read_whitelist(segment_label_ids_file)
        if whitelist is None:
            say(
                "no --segment_label_ids_file: every class gets a line; the challenge asks for the 1000 of segment_label_ids.csv alone"
            )
        return SegmentCsvWriter(path, whitelist, top_k, segment_max_pred or MAX_PER_CLASS)
    if given:
        raise UserError(
            f"{', '.join(given)}: for five-second segments, but these are scores of whole videos; drop the flag"
            " (inference.py --segment_labels predicts segments)."
        )
    return CsvWriter(path, top_k)


def refuse_without_csv(segment_max_pred: int = 0, segment_label_ids_file: str = "") -> None:
    """Refuse settings of a submission where none is asked for.

    Raises:
      UserError: one of them was given.
    """
    given = _given(segment_max_pred, segment_label_ids_file)
    if given:
        raise UserError(
            f"{', '.join(given)}: for the submission, and there is no --output_file; give one, or drop the flag"
            " (--output_scores keeps every class of every segment)."
        )


def _given(segment_max_pred: int, segment_label_ids_file: str) -> list[str]:
    # The challenge's number is the starter code's default: who writes it out asks for nothing.
    flags = {
        "--segment_max_pred": segment_max_pred not in (0, MAX_PER_CLASS),
        "--segment_label_ids_file": segment_label_ids_file,
    }
    return [flag for flag, value in flags.items() if value]
