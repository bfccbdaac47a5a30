"""Parsing of frame-level records, regular and odd."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.support.records import rgb_audio_frames
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.pipeline import build_dataset
from yt8m.data.records.frame import parse_frame_record
from yt8m.data.records.quantization import dequantize
from yt8m.data.records.sampling import ALL_FRAMES, FrameSampling
from yt8m.data.records.writers import frame_record
from yt8m.errors import UserError

NO_FRAMES = {"rgb": np.zeros((0, 6), np.uint8), "audio": np.zeros((0, 2), np.uint8)}


def parse(payload, schema, sampling=ALL_FRAMES, **kwargs):
    def one(x):
        return parse_frame_record(tf.constant(5, tf.int64), x, schema, sampling, 1, **kwargs)

    return {k: v.numpy() for k, v in tf.function(one)(tf.constant(payload)).items()}


def test_unequal_lengths_keep_what_both_have(make):
    x = make.frame_values(0, 9)
    got = parse(frame_record(b"a", {"rgb": x[:, :6], "audio": x[:7, 6:]}, [1]), make.frame)
    assert got["num_frames"] == 7
    np.testing.assert_array_equal(got["frames"][:7], x[:7])
    assert not got["frames"][7:].any()


def test_no_frame_at_all(make):
    samplings = [FrameSampling(kind, 3) for kind in ("random", "contiguous", "even")]
    for payload in (make.frame_payload(0, 0), frame_record(b"a", NO_FRAMES, [1])):
        for sampling in (ALL_FRAMES, *samplings):
            got = parse(payload, make.frame, sampling)
            assert got["num_frames"] == 0
            assert not got["frames"].any()
            assert got["frames"].shape == (12 if sampling.kind == "all" else 3, 8)


def test_sampled_frames_are_frames_of_the_video(make):
    x = make.frame_values(3, 11)
    for kind in ("random", "contiguous", "spread", "even"):
        got = parse(make.frame_payload(3, 11), make.frame, FrameSampling(kind, 5))
        assert got["num_frames"] == 5
        assert all((x == row).all(1).any() for row in got["frames"])


def test_sampling_reaches_only_the_frames_kept(make):
    got = parse(make.frame_payload(3, 40), make.frame, FrameSampling("random", 300))
    kept = make.frame_values(3, 40)[:12]
    assert all((kept == row).all(1).any() for row in got["frames"])


def test_spread_needs_no_more_room_than_the_longest_video(make):
    for most, expected in ((300, 12), (4, 4)):
        got = parse(make.frame_payload(3, 11), make.frame, FrameSampling("spread", most))
        assert got["frames"].shape == (expected, 8)
        assert got["num_frames"] == min(11, most)
    assert not parse(frame_record(b"a", NO_FRAMES, [1]), make.frame, FrameSampling("spread", 4))[
        "num_frames"
    ]


def test_float_lists_of_mediapipe(make):
    x = make.frame_values(1, 5)
    schema = dataclasses.replace(
        make.frame, feature_keys=("RGB/feature/floats", "AUDIO/feature/floats"), float_frames=True
    )
    features = {
        "RGB/feature/floats": dequantize(x[:, :6]),
        "AUDIO/feature/floats": dequantize(x[:, 6:]),
    }
    got = parse(frame_record(b"clip", features, [2], id_key="clip/media_id"), schema)
    assert got["id"] == b"clip"
    np.testing.assert_array_equal(got["frames"][:5], x)


def test_ids_of_every_release(make):
    for key in ("id", "video_id", "clip/data_path", "clip/media_id"):
        assert parse(make.frame_payload(7, id_key=key), make.frame)["id"] == b"v7"


def test_labels_absent_or_left_out(make):
    payload = rgb_audio_frames(0, make.frame_values(0), None)
    assert not parse(payload, make.frame)["labels"].any()
    assert "labels" not in parse(payload, make.frame, with_labels=False)


def test_label_beyond_is_dropped_on_request(make):
    payload = rgb_audio_frames(0, make.frame_values(0), [1, 4000])
    got = parse(payload, make.frame, beyond="drop")
    np.testing.assert_array_equal(np.flatnonzero(got["labels"]), [1])


WITH = {"video_names": ("cdml", "more"), "video_sizes": (3, 2)}


def test_features_of_the_whole_video_come_beside_its_frames(make):
    of_video = {"more": [4, 5], "cdml": [1, 2, 3]}
    payload = make.frame_payload(3, of_video=of_video)
    schema = dataclasses.replace(make.frame, **WITH)
    got, plain = parse(payload, schema), parse(payload, make.frame)
    np.testing.assert_array_equal(got.pop("video"), [1, 2, 3, 4, 5])
    assert sorted(got) == sorted(plain)
    assert all(np.array_equal(got[k], plain[k]) for k in plain)
    batch = next(iter(build_dataset([make.shard("x", [payload] * 2)], schema, batch_size=2)))
    assert batch["video"].shape == (2, 5)
    assert batch["video"].dtype == tf.float32


def test_a_record_without_the_named_feature_is_refused(make):
    path = make.shard("x", [make.frame_payload(3, of_video={"cdml": [1, 2, 3]})])
    schema, bad = dataclasses.replace(make.frame, **WITH), BadRecords()
    message = r"cannot be parsed .*more.*--feature_names"
    with pytest.raises(UserError, match=message), bad.explained(10):
        list(build_dataset([path], schema, batch_size=2, bad_records=bad))
