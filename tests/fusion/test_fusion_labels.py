"""Labels for a fusion that come from labelled records."""

import os
import tracemalloc

import pytest
import tensorflow as tf

from yt8m.errors import UserError
from yt8m.fusion.labels import load_labels


def write_records(path, rows):
    with tf.io.TFRecordWriter(path) as out:
        for video, labels in rows:
            example = tf.train.Example()
            example.features.feature["id"].bytes_list.value.append(video.encode())
            example.features.feature["labels"].int64_list.value.extend(labels)
            example.features.feature["mean_rgb"].float_list.value.extend([0.5] * 8)
            out.write(example.SerializeToString())


def test_records(tmp_path):
    write_records(str(tmp_path / "v0.tfrecord"), [("a", [3, 1]), ("b", [])])
    write_records(str(tmp_path / "v1.tfrecord"), [("c", [0])])
    truth = load_labels(str(tmp_path / "v*.tfrecord"), 5)
    assert [truth[i].tolist() for i in "abc"] == [[1, 3], [], [0]]
    with pytest.raises(UserError, match="label 3"):
        load_labels(str(tmp_path / "v*.tfrecord"), 3)


def test_places_without_labels(tmp_path):
    write_records(str(tmp_path / "v0.tfrecord"), [("a", [])])
    with pytest.raises(UserError, match="test split"):
        load_labels(str(tmp_path / "v*.tfrecord"), 5)
    with pytest.raises(UserError, match="matches no"):
        load_labels(str(tmp_path / "w*.tfrecord"), 5)


def test_a_test_split_costs_no_memory_where_the_classes_are_unknown(tmp_path):
    write_records(str(tmp_path / "v0.tfrecord"), [("a", [])])
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="test split"):
            load_labels(str(tmp_path / "v*.tfrecord"))
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(
    "YT8M_SAMPLE_DIR" not in os.environ, reason="YT8M_SAMPLE_DIR is not set: no real records here"
)
def test_real_records():
    first = min(
        tf.io.gfile.glob(os.path.join(os.environ["YT8M_SAMPLE_DIR"], "validate", "*.tfrecord"))
    )
    truth = load_labels(first, 3862)
    assert len(truth) > 0
    assert 2 < sum(len(truth[video]) for video in truth.ids) / len(truth) < 4
