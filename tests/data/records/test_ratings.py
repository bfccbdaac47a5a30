"""Ratings are read without frames, with any id key; unreadable ones are refused."""

import pytest
import tensorflow as tf

from yt8m.data.records.ratings import read_ratings, segments_a_record
from yt8m.errors import UserError

RATINGS = [(10, 3, 1.0), (0, 4, 0.0), (10, 5, 0.5)]


def test_all_ratings_are_read(make):
    files = [
        make.shard(
            "a.tfrecord", [make.frame_payload(1, 12, segments=RATINGS), make.frame_payload(2, 12)]
        ),
        make.shard(
            "b.tfrecord",
            [
                make.frame_payload(3, 12, segments=RATINGS[:1], id_key="video_id"),
                make.frame_payload(4, segments=[]),
            ],
        ),
    ]
    got = [
        (v.video_id, list(v.starts), list(v.classes), list(v.scores)) for v in read_ratings(files)
    ]
    assert got == [(b"v1", [10, 0, 10], [3, 4, 5], [1.0, 0.0, 0.5]), (b"v3", [10], [3], [1.0])]


def test_unreadable_ratings_are_refused(make, damage):
    record = tf.train.SequenceExample.FromString(make.frame_payload(1, 12, segments=RATINGS))
    record.context.feature["segment_labels"].int64_list.value.append(5)
    with pytest.raises(UserError, match="differ in number: 3, 4 and 3"):
        list(read_ratings([make.shard("a.tfrecord", [record.SerializeToString()])]))
    with pytest.raises(UserError, match=r"neither a tf.train.Example"):
        list(read_ratings([make.shard("b.tfrecord", [b"\xff\xff"])]))
    broken = make.shard(
        "c.tfrecord", [make.frame_payload(i, 12, segments=RATINGS) for i in range(3)]
    )
    damage(broken, 1, "payload")
    with pytest.raises(UserError, match=r"c.tfrecord has a broken record"):
        list(read_ratings([broken]))


def test_segments_a_record(make, damage):
    few = make.shard(
        "a.tfrecord", [make.frame_payload(i, 12, segments=RATINGS) for i in range(4)]
    )  # two segments each
    none = make.shard("b.tfrecord", [make.frame_payload(i, 12) for i in range(4)] + [b"\xff\xff"])
    assert segments_a_record([few, none]) == 1.0
    damage(few, 0, "payload")
    assert segments_a_record([few]) == 2.0
    assert segments_a_record([make.shard("empty.tfrecord", [])]) == 0.0
