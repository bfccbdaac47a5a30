"""The schema is found from the records, and what does not fit them is refused."""

import numpy as np
import pytest

from tests.support.records import rgb_audio_means
from yt8m.data.find_schema import find_schema
from yt8m.data.findings import examine
from yt8m.data.inspect import main
from yt8m.data.records.quantization import dequantize
from yt8m.data.records.writers import frame_record, write_shard
from yt8m.data.vocabulary import write_vocabulary
from yt8m.errors import UserError


def refused(match, *args, **kwargs):
    with pytest.raises(UserError, match=match):
        find_schema(*args, **kwargs)


def test_video_level(make):
    schema, line = find_schema(make.shards("video", 30, 4), num_classes=10)
    assert schema == make.video
    assert (
        line == "video-level records with mean_rgb (6), mean_audio (2); 10 classes (--num_classes)"
    )


def test_frame_level(make):
    schema, _ = find_schema(make.shards("frame", 30, 4), num_classes=10, max_frames=12)
    assert schema == make.frame


def test_chosen_features_in_their_order(make):
    files = make.shards("frame", 6, 1)
    assert find_schema(files, ["audio", "rgb"], [2, 6], num_classes=10)[0].feature_names == (
        "audio",
        "rgb",
    )
    assert find_schema(files, ["rgb"], num_classes=10)[0].feature_sizes == (6,)


def test_classes_by_vocabulary(make, tmp_path):
    files = make.shards("video", 6, 1)
    write_vocabulary(str(tmp_path / "vocabulary.csv"), list("abcdefghijkl"), range(12))
    assert find_schema(files)[0].num_classes == 12
    other = tmp_path / "other.csv"
    write_vocabulary(str(other), list("abcdefghijk"), range(11))
    assert find_schema(files, vocabulary_file=str(other))[0].num_classes == 11
    assert find_schema(files, num_classes=7)[0].num_classes == 7


def test_mediapipe_float_lists(make):
    x = dequantize(make.frame_values(0, 5))
    features = {"RGB/feature/floats": x[:, :6], "AUDIO/feature/floats": x[:, 6:]}
    path = make.shard("x.tfrecord", [frame_record(b"a", features, [1], id_key="clip/data_path")])
    schema, _ = find_schema([path], num_classes=10)
    assert schema.float_frames
    assert schema.feature_names == ("rgb", "audio")
    assert schema.feature_sizes == (6, 2)
    assert schema.keys == ("RGB/feature/floats", "AUDIO/feature/floats")


def test_bytes_and_floats_together(make):
    x = make.frame_values(0, 5)
    path = make.shard(
        "x.tfrecord", [frame_record(b"a", {"rgb": x[:, :6], "audio": dequantize(x[:, 6:])}, [1])]
    )
    refused("audio is a float list and the rest are bytes", [path])
    assert not find_schema([path], ["rgb"], num_classes=10)[0].float_frames
    assert find_schema([path], ["audio"], num_classes=10)[0].float_frames


REFUSED = {
    "unknown feature": (
        "frame",
        {"feature_names": ["mean_rgb"]},
        r"--feature_names: mean_rgb is not in .*rgb \(6\), audio \(2\)",
    ),
    "other size": (
        "frame",
        {"feature_names": ["rgb"], "feature_sizes": [1024]},
        "--feature_sizes=1024 does not match --feature_names=rgb: the records have 6",
    ),
    "frames where videos are asked for": (
        "frame",
        {"frame_features": False},
        "contains frame-level records with .*--frame_features=false asks for video-level",
    ),
    "videos where frames are asked for": (
        "video",
        {"frame_features": True},
        "--frame_features=true asks for frame-level",
    ),
    "no ratings": (
        "frame",
        {"segment_labels": True},
        "--segment_labels: .*no segment_start_times",
    ),
    "segments of video-level records": (
        "video",
        {"segment_labels": True, "rated": False},
        "cut from frames.*contains video-level",
    ),
    "frames of segments": (
        "frame",
        {"segment_labels": True, "rated": False, "max_frames": 60},
        "--max_frames=60 cannot be combined with --segment_labels: a segment has 5 frames",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_the_records_is_refused(make, case):
    level, arguments, message = REFUSED[case]
    refused(message, make.shards(level, 6, 1), **arguments)


def test_levels_mixed(make):
    refused("mixes", make.shards("video", 6, 1) + make.shards("frame", 6, 1))


def test_no_tfrecord(make, tmp_path):
    text = tmp_path / "x.tfrecord"
    text.write_text("VideoId,LabelConfidencePairs\n" * 5)
    refused(f"--train_data_pattern: {text} is not a TFRecord file", [str(text)])
    refused("contain no complete record", [make.shard("empty.tfrecord", [])])
    refused(
        "neither a tf.train.Example nor a SequenceExample",
        [make.shard("y.tfrecord", [b"\xff\xff\xff"])],
    )


def test_first_payload_broken_is_left_to_training(make, damage):
    files = make.shards("frame", 6, 1)
    damage(files[0], 0, "payload")
    assert find_schema(files, num_classes=10, max_frames=12)[0] == make.frame
    damage(files[0], 0, "length")
    refused("is not a TFRecord file", files)


def test_every_payload_broken(make, damage):
    path = make.shard("x.tfrecord", [make.video_payload(i) for i in range(2)])
    damage(path, 0, "payload")
    damage(path, 1, "payload")
    refused("contain no complete record", [path])


@pytest.mark.parametrize(
    "empty", [{}, {"rgb": np.zeros((0, 6), np.uint8), "audio": np.zeros((0, 2), np.uint8)}]
)
def test_first_record_without_frames(make, empty):
    payloads = [frame_record(b"a", empty, [1])] + [make.frame_payload(i) for i in range(3)]
    found = examine([make.shard("x.tfrecord", payloads)])
    assert found.level == "frame"
    assert found.sizes == {"rgb": 6, "audio": 2}
    assert found.records == 4


def test_rated_segments(make):
    path = make.shard("x.tfrecord", [make.frame_payload(0, segments=[(0, 1, 1.0)])])
    schema, _ = find_schema([path], num_classes=10, segment_labels=True)
    assert schema.segment_labels
    assert schema.max_frames == 300


def test_windows_need_no_ratings(make):
    files = make.shards("frame", 6, 1)
    assert find_schema(files, num_classes=10, segment_labels=True, rated=False)[0].segment_labels


def test_unequal_lengths_are_warned_of_and_counted(make, capsys, caplog):
    x = make.frame_values(0, 9)
    path = make.shard(
        "x.tfrecord",
        [make.frame_payload(0), frame_record(b"u", {"rgb": x[:, :6], "audio": x[:7, 6:]}, [1])],
    )
    find_schema([path], num_classes=10)
    assert caplog.messages[0].startswith(
        "--train_data_pattern: 1 of the 2 records examined have more frames of one feature"
    )
    caplog.clear()
    find_schema([path], ["rgb"], num_classes=10)  # nothing is cut from it
    whole = make.shard("y.tfrecord", [make.frame_payload(i) for i in range(5)])
    find_schema([whole], num_classes=10)
    assert not caplog.messages
    assert main([path, "--full"]) == 0
    assert "unequal: 1 of 2 records examined have more frames" in capsys.readouterr().out


@pytest.mark.parametrize("labelled", [2, 12])
def test_shards_without_labels_among_others_are_warned_of(labelled, make, caplog):
    files = make.shards("video", 12 * labelled, labelled)
    unlabelled = [rgb_audio_means(i, make.video_values(i), []) for i in range(12)]
    test = make.shard("test0.tfrecord", unlabelled)
    some = make.shard("some.tfrecord", [unlabelled[0], make.video_payload(1)])
    find_schema([*files, some, test], num_classes=10)
    assert not caplog.messages  # nobody wants labels
    find_schema([*files, some, test], num_classes=10, labelled=True)
    [message] = caplog.messages
    assert f"none of the first records of {test} has a label" in message
    assert f"1 of {labelled + 2} files" in message


def test_a_strange_record_among_the_first_is_left_to_training(make):
    narrow = rgb_audio_means(0, np.zeros(7), [1], rgb=5)
    path = make.shard("x.tfrecord", [make.video_payload(0), b"garbage payload", narrow])
    assert find_schema([path], num_classes=10)[0] == make.video


def test_features_of_whole_videos_are_read_where_they_are_named(make):
    files = [
        make.shard(
            "x.tfrecord", [make.frame_payload(i, of_video={"cdml": [1, 2, 3]}) for i in range(3)]
        )
    ]
    schema, line = find_schema(files, num_classes=10, max_frames=12)
    assert schema == make.frame
    assert line.startswith(
        "frame-level records with rgb (6), audio (2), and for whole videos cdml (3); 10 classes"
    )
    schema, _ = find_schema(files, ["cdml", "rgb"], [3, 6], num_classes=10)
    assert (schema.feature_names, schema.feature_sizes, schema.feature_size) == (("rgb",), (6,), 6)
    assert (schema.video_names, schema.video_sizes) == (("cdml",), (3,))
    assert schema.all_sizes == (
        6,
        3,
    )
    refused(
        r"--feature_names: clip is not in .*, and for whole videos cdml \(3\)",
        files,
        ["rgb", "clip"],
    )
    refused("--feature_names=cdml names no feature of the frames", files, ["cdml"])


@pytest.mark.parametrize(
    ("key", "num_classes", "warns"),
    [("video_id", 3862, True), ("id", 4716, True), ("id", 3862, False), ("video_id", 4716, False),
     ("video_id", 12, False)],
)  # fmt: skip
def test_records_of_another_release_than_the_classes_are_reported(
    key, num_classes, warns, tmp_path, caplog
):
    path, rng = f"{tmp_path}/x.tfrecord", np.random.default_rng(0)
    frames = {"rgb": 1024, "audio": 128}
    made = {name: rng.integers(0, 256, (3, size), np.uint8) for name, size in frames.items()}
    write_shard(path, [frame_record(b"abcd", made, [3], id_key=key)])
    find_schema([path], num_classes=num_classes, labelled=True)
    assert ("another class in each of them" in caplog.text) == warns
