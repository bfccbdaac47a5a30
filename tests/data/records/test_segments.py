"""Rated segments and windows follow the rules of the 2019 release."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.records.segments import parse_segments, parse_windows
from yt8m.errors import UserError


def parse(payload, schema, **kwargs):
    got = tf.function(lambda x: parse_segments(x, schema, **kwargs))(tf.constant(payload))
    return {k: v.numpy() for k, v in got.items()}


@pytest.fixture
def schema(make):
    return dataclasses.replace(make.frame, segment_labels=True, max_frames=300)


def test_ratings_become_labels_and_weights(make, schema):
    ratings = [(10, 3, 1.0), (0, 4, 0.0), (10, 5, 0.0), (0, 6, 1.0)]
    got = parse(make.frame_payload(1, 30, segments=ratings), schema)
    np.testing.assert_array_equal(
        got["id"], [b"v1:10", b"v1:0"]
    )  # in the order of first appearance
    np.testing.assert_array_equal(got["num_frames"], [5, 5])
    x = make.frame_values(1, 30)
    np.testing.assert_array_equal(got["frames"], [x[10:15], x[0:5]])
    assert [list(np.flatnonzero(r)) for r in got["labels"]] == [[3], [6]]
    assert [list(np.flatnonzero(r)) for r in got["weights"]] == [[3, 5], [4, 6]]


def test_past_the_end_of_the_video(make, schema):
    got = parse(
        make.frame_payload(
            1, 7, segments=[(5, 1, 1.0), (20, 1, 1.0), (295, 1, 1.0), (1000, 1, 1.0)]
        ),
        schema,
    )
    np.testing.assert_array_equal(got["num_frames"], [2, 0, 0, 0])
    np.testing.assert_array_equal(got["frames"][0, :2], make.frame_values(1, 7)[5:])
    assert not got["frames"][0, 2:].any()
    assert not got["frames"][1:].any()


def test_no_rating(make, schema):
    got = parse(make.frame_payload(1, 7, segments=[]), schema)
    assert got["frames"].shape == (0, 5, 8)
    assert got["labels"].shape == (0, 10)


@pytest.mark.parametrize(
    ("label", "problem"), [(10, "but there are 10 classes"), (-1, "but labels are 0 or more")]
)
def test_class_beyond(make, schema, label, problem):
    payload = make.frame_payload(1, 30, segments=[(0, 3, 1.0), (0, label, 1.0)])
    message = f"label {label}, {problem}"
    with pytest.raises(UserError, match=message), BadRecords().explained(10):
        parse(payload, schema)
    got = parse(payload, schema, beyond="drop")
    np.testing.assert_array_equal(np.flatnonzero(got["weights"][0]), [3])


def test_ratings_of_unequal_number(make, schema):
    record = tf.train.SequenceExample.FromString(
        make.frame_payload(1, 30, segments=[(0, 3, 1.0), (5, 4, 1.0)])
    )
    record.context.feature["segment_labels"].int64_list.value.append(5)
    with (
        pytest.raises(UserError, match=r"cannot be parsed .*differ in number"),
        BadRecords().explained(10),
    ):
        parse(record.SerializeToString(), schema)


@pytest.mark.parametrize("segments", [None, [(10, 3, 1.0), (10, 77, 1.0)]])
def test_windows_of_a_video_rated_or_not(make, schema, segments):
    cut = tf.function(lambda x: parse_windows(x, schema))
    got = {
        k: v.numpy()
        for k, v in cut(tf.constant(make.frame_payload(1, 12, segments=segments))).items()
    }
    assert set(got) == {"id", "frames", "num_frames"}
    np.testing.assert_array_equal(got["id"], [b"v1:0", b"v1:5", b"v1:10"])
    np.testing.assert_array_equal(got["num_frames"], [5, 5, 2])
    np.testing.assert_array_equal(got["frames"].reshape(15, 8)[:12], make.frame_values(1, 12))
    assert not got["frames"][2, 2:].any()


@pytest.mark.parametrize(("frames", "windows"), [(0, 0), (1, 1), (5, 1), (300, 60), (303, 60)])
def test_number_of_windows(make, schema, frames, windows):
    assert len(parse_windows(tf.constant(make.frame_payload(1, frames)), schema)["id"]) == windows


def test_each_segment_has_the_features_of_its_video(make, schema):
    payload = make.frame_payload(
        1, 30, segments=[(10, 3, 1.0), (0, 4, 0.0)], of_video={"cdml": [7, 8]}
    )
    got = parse(payload, dataclasses.replace(schema, video_names=("cdml",), video_sizes=(2,)))
    np.testing.assert_array_equal(got["video"], [[7, 8], [7, 8]])
