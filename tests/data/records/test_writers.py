"""Writers write the official format, and no shard that is not whole."""

import os

import numpy as np
import pytest
import tensorflow as tf

from yt8m.data.records.writers import frame_record, video_record, write_shard


def test_video_record():
    payload = video_record(
        b"ab", {"mean_rgb": [1.5, 2.0], "mean_audio": [0.5]}, [3, 1], id_key="video_id"
    )
    features = tf.train.Example.FromString(payload).features.feature
    assert features["video_id"].bytes_list.value[:] == [b"ab"]
    assert features["mean_rgb"].float_list.value[:] == [1.5, 2.0]
    assert features["mean_audio"].float_list.value[:] == [0.5]
    assert features["labels"].int64_list.value[:] == [3, 1]
    assert (
        "labels" not in tf.train.Example.FromString(video_record(b"a", {}, None)).features.feature
    )


def test_frame_record():
    x = np.array([[1, 255], [0, 7]], np.uint8)
    payload = frame_record(
        b"ab", {"rgb": x, "f": np.array([[0.5], [1.5]])}, [2], segments=[(5, 9, 1.0), (5, 8, 0.0)]
    )
    record = tf.train.SequenceExample.FromString(payload)
    lists = record.feature_lists.feature_list
    assert [s.bytes_list.value[0] for s in lists["rgb"].feature] == [b"\x01\xff", b"\x00\x07"]
    assert [s.float_list.value[0] for s in lists["f"].feature] == [0.5, 1.5]
    context = record.context.feature
    assert context["id"].bytes_list.value[:] == [b"ab"]
    assert context["labels"].int64_list.value[:] == [2]
    assert context["segment_start_times"].int64_list.value[:] == [5, 5]
    assert context["segment_end_times"].int64_list.value[:] == [10, 10]
    assert context["segment_labels"].int64_list.value[:] == [9, 8]
    assert context["segment_scores"].float_list.value[:] == [1.0, 0.0]


@pytest.mark.parametrize("width", [1, 31, 32, 5000])  # 128 bytes and more need a longer length
def test_float_frames_of_any_width(width):
    x = np.random.default_rng(0).normal(size=(2, width))
    record = tf.train.SequenceExample.FromString(frame_record(b"a", {"x": x}, None))
    found = [s.float_list for s in record.feature_lists.feature_list["x"].feature]
    assert found == [tf.train.FloatList(value=row) for row in x]


def test_shard(tmp_path):
    path = str(tmp_path / "deep" / "x.tfrecord")
    assert write_shard(path, [b"one", b"two"]) == 2
    assert list(tf.data.TFRecordDataset(path).as_numpy_iterator()) == [b"one", b"two"]
    assert os.listdir(tmp_path / "deep") == ["x.tfrecord"]


def test_failed_shard_leaves_no_shard(tmp_path):
    def records():
        yield b"one"
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        write_shard(str(tmp_path / "x.tfrecord"), records())
    assert not (tmp_path / "x.tfrecord").exists()
