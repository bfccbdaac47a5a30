"""Ratings of five-second segments (docs/sources.md#rated-segments), read without the frames."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.reader import read_records
from yt8m.data.files.shards import evenly_spaced
from yt8m.data.records.protos import context_features
from yt8m.data.schema import ID_KEYS
from yt8m.errors import UserError

_SHARDS_TO_SAMPLE = 16
_RECORDS_OF_EACH = 64  # about 300 MB of the release in all


class VideoRatings(NamedTuple):
    """Ratings of one video, one entry per rating; a start may recur with another class."""

    video_id: bytes
    starts: Sequence[int]
    classes: Sequence[int]
    scores: Sequence[float]


def read_ratings(files: list[str], flag: str = "--eval_data_pattern") -> Iterator[VideoRatings]:
    """Yield the ratings of each record that has any.

    Args:
      files: shards of frame-level records.
      flag: flag that named them, for messages.

    Raises:
      UserError: a record is broken or does not parse.
    """
    bad = BadRecords()
    with bad.explained():
        for payload in read_records(files, bad).as_numpy_iterator():
            ratings = _ratings(payload, flag)
            if ratings.starts:
                yield ratings


def _ratings(payload: bytes, flag: str) -> VideoRatings:
    found = context_features(payload)
    if found is None:
        raise _unreadable(flag, "it is neither a tf.train.Example nor a SequenceExample")
    starts = found["segment_start_times"].int64_list.value
    classes = found["segment_labels"].int64_list.value
    scores = found["segment_scores"].float_list.value
    if not len(starts) == len(classes) == len(scores):
        lists = "segment_start_times, segment_labels and segment_scores"
        numbers = f"{len(starts)}, {len(classes)} and {len(scores)}"
        raise _unreadable(flag, f"{lists} differ in number: {numbers}")
    ids = (value for key in ID_KEYS for value in found[key].bytes_list.value[:1] if value)
    return VideoRatings(next(ids, b""), starts, classes, scores)


def segments_a_record(files: list[str]) -> float:
    """Return the mean number of rated segments per record, from 64 records each of 16 shards.

    The shards are evenly spaced. Records that cannot be read or parsed are skipped, because
    training counts them itself.
    """
    bad, count, segments = BadRecords(limit=sys.maxsize), 0, 0
    shards = evenly_spaced(files, _SHARDS_TO_SAMPLE)
    with bad.explained():
        first = (read_records([s], bad).take(_RECORDS_OF_EACH).as_numpy_iterator() for s in shards)
        for payload in itertools.chain.from_iterable(first):
            found = context_features(payload)
            if found is not None:
                count += 1
                segments += len(set(found["segment_start_times"].int64_list.value))
    return segments / max(count, 1)


def _unreadable(flag: str, why: str) -> UserError:
    return UserError(
        f"a record of {flag} cannot be parsed: {why}."
        " `python -m yt8m.data.inspect --full PATTERN` lists such records."
    )
