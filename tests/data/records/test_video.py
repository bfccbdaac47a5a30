"""Parsing of video-level records."""

import dataclasses

import numpy as np
import tensorflow as tf

from tests.support.records import rgb_audio_means
from yt8m.data.records.video import parse_video_batch


def parse(payloads, schema, **kwargs):
    got = tf.function(lambda x: parse_video_batch(x, schema, **kwargs))(tf.constant(payloads))
    return {k: v.numpy() for k, v in got.items()}


def test_batch(make):
    got = parse([make.video_payload(3), make.video_payload(4, id_key="video_id")], make.video)
    np.testing.assert_array_equal(got["id"], [b"v3", b"v4"])
    np.testing.assert_allclose(got["video"], [make.video_values(3), make.video_values(4)])
    assert [list(np.flatnonzero(row)) for row in got["labels"]] == [make.labels(3), make.labels(4)]
    assert got["labels"].dtype == np.uint8


def test_order_of_features_is_the_schemas(make):
    turned = dataclasses.replace(
        make.video, feature_names=("mean_audio", "mean_rgb"), feature_sizes=(2, 6)
    )
    x = make.video_values(3)
    np.testing.assert_allclose(
        parse([make.video_payload(3)], turned)["video"][0], np.concatenate([x[6:], x[:6]])
    )


def test_labels_absent(make):
    payload = rgb_audio_means(0, np.zeros(8), None)
    assert not parse([payload], make.video)["labels"].any()
    assert "labels" not in parse([payload], make.video, with_labels=False)


def test_labels_in_any_order_and_twice(make):
    payload = rgb_audio_means(0, np.zeros(8), [7, 1, 7])
    np.testing.assert_array_equal(np.flatnonzero(parse([payload], make.video)["labels"][0]), [1, 7])
