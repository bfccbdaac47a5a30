"""Score a finished submission of five-second segments against rated records.

`python -m yt8m.evaluation.segment_csv --submission_file=s.csv --eval_data_pattern='validate*.tfrecord'` is the starter
code's `segment_eval_inference.py`, with its flags.
"""

from __future__ import annotations

import yt8m.quiet  # noqa: F401

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Callable

import tensorflow as tf

from yt8m.data.files.shards import find_shards
from yt8m.data.records.ratings import read_ratings
from yt8m.errors import UserError
from yt8m.evaluation.report import segment_lines
from yt8m.evaluation.segment_scores import Ratings, both_means
from yt8m.files import WholeFile
from yt8m.submission.ids import decode_ids
from yt8m.submission.kaggle_segments import read_segment_csv


def score_segment_csv(
    submission_file: str,
    eval_data_pattern: str = "",
    top_n: int = 0,
    label_cache: str = "",
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Return the segment MAP of a submission, and print it.

    Source: starter code, segment_eval_inference (spec B.1), without the faults that keep it from running (E-39).

    Args:
      submission_file: `Class,Segments`; read line by line.
      eval_data_pattern: globs of rated records; not needed where the cache exists.
      top_n: keep the first so many segments of each class, before those without a rating are removed; 0 keeps all.
      label_cache: `segment,class,score` lines of all ratings; read if the file exists, else written. "" is none.
      say: prints.

    Returns:
      What `both_means` returns, and `num_ratings`, `num_ratings_listed`: of all, and of those whose segment the submission
      lists for that class.

    Raises:
      UserError: unreadable files, no positive rating, or a submission that lists nothing that was rated.
    """
    if (
        next(read_segment_csv(submission_file), None) is None
    ):  # before the records, which take longer
        raise UserError(
            f"--submission_file={submission_file} has no line of a class; inference.py --segment_labels writes one."
        )
    ratings = _ratings(eval_data_pattern, label_cache, say)
    listed = 0

    def lists() -> Iterator[tuple[int, list[str]]]:
        nonlocal listed
        for label, segments in read_segment_csv(submission_file):
            segments = segments[:top_n] if top_n else segments
            listed += len(ratings.get(label, {}).keys() & set(segments))
            yield label, segments

    result = both_means(lists(), ratings)
    total = sum(map(len, ratings.values()))
    if not listed:
        raise UserError(
            f"--submission_file={submission_file} lists none of the {total:,} rated pairs of segment and class; expected the"
            " predictions of the same videos. Predict the rated records (inference.py --segment_labels --input_data_pattern), or"
            " name those that were predicted (--eval_data_pattern, --label_cache)."
        )
    for line in segment_lines(result):
        say(line)
    say(
        f"over {total:,} ratings, {listed:,} of them listed; {result['num_segment_map_positive_classes']:,} classes with positive ratings"
    )
    return {**result, "num_ratings": total, "num_ratings_listed": listed}


def _ratings(pattern: str, cache: str, say: Callable[[str], None]) -> Ratings:
    """Return class -> {`<video>:<start>`: score} from the cache, or from the records and into the cache."""
    if cache and tf.io.gfile.exists(cache):
        say(
            f"ratings are those of --label_cache={cache}"
            + (", so --eval_data_pattern is not read" if pattern else "")
        )
        ratings = _read_cache(cache)
        _refuse_without_positives(ratings, f"--label_cache={cache}")
        return ratings
    files = find_shards(pattern, "--eval_data_pattern")
    with (
        WholeFile(cache, "--label_cache") if cache else contextlib.nullcontext() as out
    ):  # an unwritable place is told first
        ratings = _read_records(files)
        _refuse_without_positives(ratings, f"--eval_data_pattern={pattern}")
        for label, of_class in ratings.items() if out else ():
            for segment, score in of_class.items():
                out.write(f"{segment},{label},{score:g}\n")
    return ratings


def _read_records(files: list[str]) -> Ratings:
    ratings: Ratings = {}
    for video in read_ratings(files):
        (name,) = decode_ids([video.video_id])
        for start, label, score in zip(video.starts, video.classes, video.scores):
            of_class, segment = ratings.setdefault(label, {}), f"{name}:{start}"
            of_class[segment] = max(
                score, of_class.get(segment, score)
            )  # rated twice: positive if once so, as in training
    return ratings


def _refuse_without_positives(ratings: Ratings, where: str) -> None:
    if not any(score > 0 for of_class in ratings.values() for score in of_class.values()):
        raise UserError(
            f"{where} holds no positive rating of a segment; name rated records, such as 3/frame/validate of the 2019 release."
        )


def _read_cache(path: str) -> Ratings:
    ratings: Ratings = {}
    try:
        with tf.io.gfile.GFile(path) as source:
            for number, line in enumerate(source, 1):
                segment, label, score = line.strip().rsplit(",", 2)
                ratings.setdefault(int(label), {})[segment] = float(score)
    except ValueError:  # also of bytes that are no text
        raise UserError(
            f"--label_cache={path}, line {number}, is not '<video>:<start>,<class>,<score>'; delete it to have it made anew."
        ) from None
    except tf.errors.OpError as error:
        raise UserError(f"--label_cache={path} cannot be read ({error.message}).") from None
    return ratings


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m yt8m.evaluation.segment_csv", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument(
        "--submission_file", required=True, help="of inference.py --segment_labels: Class,Segments"
    )
    parser.add_argument(
        "--eval_data_pattern", default="", help="comma list of globs of rated records"
    )
    parser.add_argument(
        "--top_n",
        type=int,
        default=0,
        help="segments of each class that count; 0: all (the challenge: 100000)",
    )
    parser.add_argument(
        "--label_cache",
        default="",
        help="CSV of the ratings; read in place of the records if it exists, else written",
    )
    a = parser.parse_args(argv)
    try:
        if a.top_n < 0:
            raise UserError(f"--top_n={a.top_n}: at least 1, or 0 for all.")
        score_segment_csv(a.submission_file, a.eval_data_pattern, a.top_n, a.label_cache)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
