"""The ratings of five-second segments alone (spec A.6), for what needs no frames."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.pipeline import read_records
from yt8m.data.schema import ID_KEYS
from yt8m.errors import UserError

_SHARDS_TO_SAMPLE = 16
_RECORDS_OF_EACH = 64  # about 300 MB of the release in all


class VideoRatings(NamedTuple):
    """The ratings of one video, one entry a rating: a start may come again with another class."""

    video_id: bytes
    starts: Sequence[int]
    classes: Sequence[int]
    scores: Sequence[float]


def read_ratings(files: list[str], flag: str = "--eval_data_pattern") -> Iterator[VideoRatings]:
    """Yield the ratings of each record that has any.

    Args:
      files: shards of frame-level records.
      flag: that named them, for messages.

    Raises:
      UserError: a record is broken or does not parse.
    """
    bad = BadRecords()
    with bad.explained():
        for payload in read_records(files, bad).as_numpy_iterator():
            try:
                # A SequenceExample's context lies where an Example's features do; so the frames are not unpacked.
                found = tf.train.Example.FromString(payload).features.feature
            except Exception:  # protobuf's DecodeError lies elsewhere in each of its versions
                raise _unreadable(
                    flag, "it is neither a tf.train.Example nor a SequenceExample"
                ) from None
            starts = found["segment_start_times"].int64_list.value
            classes, scores = (
                found["segment_labels"].int64_list.value,
                found["segment_scores"].float_list.value,
            )
            if not len(starts) == len(classes) == len(scores):
                lengths = f"{len(starts)}, {len(classes)} and {len(scores)}"
                raise _unreadable(
                    flag,
                    f"segment_start_times, segment_labels and segment_scores differ in number: {lengths}",
                )
            if starts:
                ids = (v for key in ID_KEYS for v in found[key].bytes_list.value[:1] if v)
                yield VideoRatings(next(ids, b""), starts, classes, scores)


def segments_a_record(files: list[str]) -> float:
    """Return how many rated segments a record has on average, by the first 64 records of 16 shards, evenly spaced.

    Records that cannot be read or parsed are passed over, for training counts them itself.
    """
    bad, count, segments = BadRecords(limit=sys.maxsize), 0, 0
    shards = sorted(
        {files[i] for i in np.linspace(0, len(files) - 1, _SHARDS_TO_SAMPLE).astype(int)}
    )
    with bad.explained():
        for payload in (
            p
            for s in shards
            for p in read_records([s], bad).take(_RECORDS_OF_EACH).as_numpy_iterator()
        ):
            try:
                found = tf.train.Example.FromString(payload).features.feature
            except Exception:  # as above
                continue
            count += 1
            segments += len(set(found["segment_start_times"].int64_list.value))
    return segments / max(count, 1)


def _unreadable(flag: str, why: str) -> UserError:
    return UserError(
        f"a record of {flag} cannot be parsed: {why}. `python -m yt8m.data.inspect --full PATTERN` names such records."
    )
