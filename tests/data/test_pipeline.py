"""The stream of batches is equal for equal seeds, resumable, and complete in evaluation."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.support.records import numbers, same, stream
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.reader import read_records
from yt8m.data.pipeline import build_dataset, whole_rounds
from yt8m.data.records.sampling import FrameSampling

RANDOM = FrameSampling("random", 3)


@pytest.mark.parametrize("level", ["video", "frame"])
def test_evaluation_sees_each_record_once_with_its_own_values(make, level):
    files, schema = make.shards(level, 45, 4), getattr(make, level)
    got = stream(files, schema)
    assert numbers(got["id"]) == list(range(45))
    for row, name in enumerate(got["id"]):
        i = int(name[1:])
        np.testing.assert_array_equal(np.flatnonzero(got["labels"][row]), make.labels(i))
        if level == "video":
            np.testing.assert_allclose(got["video"][row], make.video_values(i))
            assert got["num_frames"][row] == 1
            continue
        kept = min(4 + i % 11, 12)
        assert got["num_frames"][row] == kept
        np.testing.assert_array_equal(got["frames"][row, :kept], make.frame_values(i)[:kept])
        assert not got["frames"][row, kept:].any()
    same(got, stream(files, schema))


def test_types_and_shapes(make):
    frames = build_dataset(
        make.shards("frame", 9, 2), make.frame, batch_size=4, training=True
    ).element_spec
    assert {k: (tuple(v.shape), v.dtype) for k, v in frames.items()} == {
        "id": ((4,), tf.string),
        "frames": ((4, 12, 8), tf.uint8),
        "num_frames": ((4,), tf.int32),
        "labels": ((4, 10), tf.uint8),
    }
    video = build_dataset(
        make.shards("video", 9, 2), make.video, batch_size=4, training=True
    ).element_spec
    assert (tuple(video["video"].shape), video["video"].dtype) == ((4, 8), tf.float32)
    assert tuple(video["labels"].shape) == (4, 10)


def test_no_thread_tunes_a_pipeline_whose_end_would_wait_for_it(make):
    batches = build_dataset(make.shards("video", 9, 2), make.video, batch_size=4, training=True)
    assert batches.options().autotune.enabled is False
    assert whole_rounds(batches, 2).options().autotune.enabled is False


def test_last_batch(make):
    files = make.shards("video", 10, 2)
    assert len(stream(files, make.video)["id"]) == 10
    assert len(stream(files, make.video, training=True)["id"]) == 8
    assert len(stream(files, make.video, training=True, drop_remainder=False)["id"]) == 10


@pytest.mark.parametrize("level", ["video", "frame"])
def test_whole_rounds_leave_no_replica_without_a_batch(make, level):
    batches = build_dataset(
        make.shards(level, 45, 4), getattr(make, level), batch_size=4, training=True
    )
    assert len(list(batches)) == 11
    rounds = whole_rounds(batches, 4)
    assert rounds.element_spec == batches.element_spec
    assert [b["id"].numpy().tolist() for b in rounds] == [
        b["id"].numpy().tolist() for b in batches.take(8)
    ]


@pytest.mark.parametrize("level", ["video", "frame"])
def test_seed_and_epoch_decide_the_stream(make, level):
    files, schema = make.shards(level, 60, 3), getattr(make, level)
    options = dict(training=True, shuffle_buffer=16, batch_size=1, sampling=RANDOM)
    one = stream(files, schema, seed=1, epoch=2, **options)
    tf.random.set_seed(99)  # the program's own seed must not matter
    same(one, stream(files, schema, seed=1, epoch=2, **options))
    for other in (dict(seed=1, epoch=3), dict(seed=2, epoch=2)):
        assert (stream(files, schema, **other, **options)["id"] != one["id"]).any()
    assert numbers(one["id"]) == list(range(60))
    assert list(one["id"]) != list(stream(files, schema, batch_size=1)["id"])


@pytest.mark.parametrize("level", ["video", "frame"])
@pytest.mark.parametrize("skip", [4, 20])
def test_skip_gives_the_tail(make, level, skip):
    files, schema = make.shards(level, 42, 3), getattr(make, level)
    options = dict(training=True, seed=5, shuffle_buffer=16, sampling=RANDOM)
    whole = stream(files, schema, **options)
    tail = stream(files, schema, skip_examples=skip, num_readers=2, **options)
    same({k: v[skip:] for k, v in whole.items()}, tail)


@pytest.mark.parametrize("shards", [1, 5])
def test_workers_share_the_records(make, shards):
    files = make.shards("video", 41, shards)
    parts = [
        stream(files, make.video, worker=(w, 2), training=True, drop_remainder=False)["id"]
        for w in (0, 1)
    ]
    assert min(len(p) for p in parts) > 10
    assert numbers(np.concatenate(parts)) == list(range(41))


def test_without_labels(make):
    files = [make.shard("x.tfrecord", [make.video_payload(i) for i in range(3)])]
    assert "labels" not in stream(files, make.video, with_labels=False)
    files = make.shards("frame", 3, 1)
    assert "labels" not in stream(files, make.frame, with_labels=False)


def test_repeating_ids_and_one_shard(make):
    path = make.shard("x.tfrecord", [make.video_payload(i) for i in range(70)])
    assert len(list(read_records([path, path], BadRecords()))) == 140


def segment_shard(make, videos=12):
    payloads = []
    for i in range(videos):
        ratings = [(s, (i + s) % 10, 1.0) for s in (0, 5, 10, 15)]
        payloads.append(make.frame_payload(i, n=25, segments=ratings))
    return make.shard("segments.tfrecord", payloads), dataclasses.replace(
        make.frame, segment_labels=True, max_frames=300
    )


def test_segments_of_a_video_are_spread_in_training(make):
    path, schema = segment_shard(make)
    options = dict(training=True, batch_size=4, seed=1)
    got = stream([path], schema, **options)
    assert len(set(got["id"])) == 48
    videos = [name.split(b":")[0] for name in got["id"]]
    assert sum(a == b for a, b in zip(videos, videos[1:])) < 16  # 36 if they stay together
    same({k: v[8:] for k, v in got.items()}, stream([path], schema, skip_examples=8, **options))
    windows = stream([path], schema, with_labels=False, batch_size=7)
    assert "labels" not in windows
    assert len(windows["id"]) == 12 * 5
    assert list(windows["id"][4:6]) == [b"v0:20", b"v1:0"]
    ordered = stream([path], schema)["id"]
    assert list(ordered[:5]) == [b"v0:0", b"v0:5", b"v0:10", b"v0:15", b"v1:0"]
