"""Score a finished submission of five-second segments against rated records.

This is the starter code's `segment_eval_inference.py`, with its flags:

    python -m yt8m.evaluation.segment_csv --submission_file=s.csv --eval_data_pattern='validate*'
"""

from __future__ import annotations

if __name__ == "__main__":
    import yt8m.process.quiet  # noqa: F401

from collections.abc import Iterator, Sequence
from typing import Any, Callable

import tensorflow as tf

from yt8m.data.files.shards import find_shards
from yt8m.data.records.ratings import read_ratings
from yt8m.errors import UserError
from yt8m.evaluation.report import segment_lines
from yt8m.evaluation.segment_scores import Ratings, both_means
from yt8m.files import WholeFile
from yt8m.flags import Parser, bounded
from yt8m.process.guard import ends_in_one_line, run_main
from yt8m.submission.ids import as_text
from yt8m.submission.kaggle_segments import read_segment_csv
from yt8m.text_lines import numbered_lines


def score_segment_csv(
    submission_file: str,
    eval_data_pattern: str = "",
    top_n: int = 0,
    label_cache: str = "",
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Return and print the segment MAP of a submission.

    Source: starter code, segment_eval_inference, without the faults that keep it from running
    (docs/sources.md#segment-map).

    Args:
      submission_file: CSV of lines `Class,Segments`, read line by line.
      eval_data_pattern: comma-separated glob patterns of rated records; not needed if the cache
        exists.
      top_n: keep the first `top_n` segments of each class, before unrated ones are removed; 0 keeps
        all.
      label_cache: CSV of all ratings, `segment,class,score`, read if it exists and written if not;
        "" means no cache.
      say: prints a line.

    Returns:
      The result of `both_means`; `num_ratings`; and `num_ratings_listed`, the number of ratings
      whose segment the submission lists for that class.

    Raises:
      UserError: a file cannot be read, no rating is positive, or the submission lists no rated
        segment.
    """
    # The records take longer to read, so the submission is checked first.
    if next(read_segment_csv(submission_file), None) is None:
        raise UserError(
            f"--submission_file={submission_file} has no line for any class; inference.py"
            " --segment_labels writes such a file."
        )
    ratings = _ratings(eval_data_pattern, label_cache, say)
    listed = 0

    def lists() -> Iterator[tuple[int, list[str]]]:
        nonlocal listed
        for label, segments in read_segment_csv(submission_file):
            kept = segments[:top_n] if top_n else segments
            listed += len(ratings.get(label, {}).keys() & set(kept))
            yield label, kept

    result = both_means(lists(), ratings)
    total = sum(map(len, ratings.values()))
    if not listed:
        raise UserError(
            f"--submission_file={submission_file} lists none of the {total:,} rated (segment,"
            " class) pairs; expected predictions for the rated videos. Predict these (inference.py"
            " --segment_labels --input_data_pattern), or name the records that were predicted"
            " (--eval_data_pattern, --label_cache)."
        )
    for line in segment_lines(result):
        say(line)
    positive = result["num_segment_map_positive_classes"]
    say(
        f"the submission lists {listed:,} of {total:,} ratings;"
        f" {positive:,} classes have positive ratings"
    )
    return {**result, "num_ratings": total, "num_ratings_listed": listed}


def _ratings(pattern: str, cache: str, say: Callable[[str], None]) -> Ratings:
    """Return the ratings from the cache if it exists, else from the records."""
    if cache and tf.io.gfile.exists(cache):
        unread = ", so --eval_data_pattern is not read" if pattern else ""
        say(f"the ratings come from --label_cache={cache}{unread}")
        return _checked(_read_cache(cache), f"--label_cache={cache}")
    files, where = find_shards(pattern, "--eval_data_pattern"), f"--eval_data_pattern={pattern}"
    if not cache:
        return _checked(_read_records(files), where)
    # The file is opened first, so that an unwritable path is reported before the records are read.
    with WholeFile(cache, "--label_cache") as out:
        ratings = _checked(_read_records(files), where)
        for label, rated in ratings.items():
            for segment, score in rated.items():
                out.write(f"{segment},{label},{score:g}\n")
    return ratings


def _read_records(files: list[str]) -> Ratings:
    ratings: Ratings = {}
    for video in read_ratings(files):
        name = as_text(video.video_id)
        for start, label, score in zip(video.starts, video.classes, video.scores):
            rated, segment = ratings.setdefault(label, {}), f"{name}:{start}"
            # A segment rated twice is positive if one rating is, as in training.
            rated[segment] = max(score, rated.get(segment, score))
    return ratings


def _read_cache(path: str) -> Ratings:
    ratings: Ratings = {}
    for number, line in numbered_lines(path, "--label_cache"):
        try:
            segment, label, score = line.rsplit(",", 2)
            ratings.setdefault(int(label), {})[segment] = float(score)
        except ValueError:
            raise UserError(
                f"--label_cache={path}, line {number}, is not '<video>:<start>,<class>,<score>';"
                " delete the file to have it written again."
            ) from None
    return ratings


def _checked(ratings: Ratings, where: str) -> Ratings:
    """Return the ratings; refuse them if none is positive."""
    if not any(score > 0 for rated in ratings.values() for score in rated.values()):
        raise UserError(
            f"{where} has no segment with a positive rating; name rated records, such as"
            " 3/frame/validate of the 2019 release."
        )
    return ratings


@ends_in_one_line
def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, score the submission, and return the exit code."""
    parser = Parser(
        prog="python -m yt8m.evaluation.segment_csv",
        description="Score a finished submission of five-second segments against rated records.",
    )
    add = parser.add_argument
    add(
        "--submission_file",
        required=True,
        help="submission from inference.py --segment_labels, with lines Class,Segments",
    )
    add("--eval_data_pattern", default="", help="comma-separated glob patterns of rated records")
    add(
        "--top_n",
        type=bounded(int, 0, 2**31 - 1),
        default=0,
        help="number of segments per class that count; 0 means all (the challenge: 100000)",
    )
    add(
        "--label_cache",
        default="",
        help=(
            "CSV file of the ratings; if it exists, it is read instead of the records, otherwise"
            " it is written"
        ),
    )
    given = parser.parse_args(argv)
    score_segment_csv(
        given.submission_file, given.eval_data_pattern, given.top_n, given.label_cache
    )
    return 0


if __name__ == "__main__":
    run_main(main)
