"""The schema is found from the records, and every wrong input is told apart."""

import subprocess
import sys

import numpy as np
import pytest

from yt8m.data.inspect import examine, find_schema, main
from yt8m.data.records.quantization import dequantize
from yt8m.data.records.writers import frame_record, video_record
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
    assert find_schema(files, ["audio", "rgb"], [2, 6])[0].feature_names == ("audio", "rgb")
    assert find_schema(files, ["rgb"])[0].feature_sizes == (6,)


@pytest.mark.parametrize(
    ("id_key", "features", "classes"),
    [("id", 2, 3862), ("video_id", 2, 4716), ("video_id", 1, 4800)],
)
def test_classes_by_release(make, id_key, features, classes):
    values = dict(list({"mean_rgb": np.zeros(6), "mean_audio": np.zeros(2)}.items())[:features])
    path = make.shard("x.tfrecord", [video_record(b"a", values, [1], id_key=id_key)])
    schema, line = find_schema([path])
    assert schema.num_classes == classes
    assert id_key in line


def test_classes_by_vocabulary(make, tmp_path):
    files = make.shards("video", 6, 1)
    write_vocabulary(str(tmp_path / "vocabulary.csv"), ["a", "b", "c"], [1, 2, 3])
    assert find_schema(files)[0].num_classes == 3
    other = tmp_path / "other.csv"
    write_vocabulary(str(other), ["a", "b"], [1, 2])
    assert find_schema(files, vocabulary_file=str(other))[0].num_classes == 2
    assert find_schema(files, num_classes=7)[0].num_classes == 7


def test_mediapipe_float_lists(make):
    x = dequantize(make.frame_values(0, 5))
    features = {"RGB/feature/floats": x[:, :6], "AUDIO/feature/floats": x[:, 6:]}
    path = make.shard("x.tfrecord", [frame_record(b"a", features, [1], id_key="clip/data_path")])
    schema, _ = find_schema([path])
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
    assert not find_schema([path], ["rgb"])[0].float_frames
    assert find_schema([path], ["audio"])[0].float_frames


def test_wrong_names_sizes_and_level(make):
    files = make.shards("frame", 6, 1)
    refused(r"--feature_names: mean_rgb is not in .*rgb \(6\), audio \(2\)", files, ["mean_rgb"])
    refused(
        "--feature_sizes=1024 does not fit --feature_names=rgb: the records have 6",
        files,
        ["rgb"],
        [1024],
    )
    refused("holds frame-level records with .*--frame_features=false", files, frame_features=False)
    refused(
        "--frame_features=true says frame-level", make.shards("video", 6, 1), frame_features=True
    )
    refused("--segment_labels: .*no segment_start_times", files, segment_labels=True)


def test_levels_mixed(make):
    refused("mixes", make.shards("video", 6, 1) + make.shards("frame", 6, 1))


def test_no_tfrecord(make, tmp_path):
    text = tmp_path / "x.tfrecord"
    text.write_text("VideoId,LabelConfidencePairs\n" * 5)
    refused(f"--train_data_pattern: {text} is not a TFRecord file", [str(text)])
    refused("hold no whole record", [make.shard("empty.tfrecord", [])])
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
    refused("hold no whole record", [path])


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
    schema, _ = find_schema([path], segment_labels=True)
    assert schema.segment_labels
    assert schema.max_frames == 300


def test_windows_need_frames_but_no_ratings(make):
    files = make.shards("frame", 6, 1)
    assert find_schema(files, segment_labels=True, rated=False)[0].segment_labels
    refused(
        "cut from frames.*holds video-level",
        make.shards("video", 6, 1),
        segment_labels=True,
        rated=False,
    )


def test_report(make, capsys):
    files = make.shards("frame", 30, 2)
    assert main([*files, "--full"]) == 0
    out = capsys.readouterr().out
    assert "2 files" in out
    assert "30 records" in out
    assert "0 broken records" in out
    assert "id key: id" in out
    mean = np.mean([len(make.labels(i)) for i in range(30)])
    assert (
        f"labels: {mean:.2f} a video, 10 classes seen, the highest 9 (of 30 records looked at)"
        in out
    )
    assert "frames: 4 to 14 a video" in out


def test_report_says_label_beyond(make, capsys):
    path = make.shard("x.tfrecord", [video_record(b"a", {"mean_rgb": np.zeros(6)}, [3862])])
    assert main([path]) == 0
    assert "label 3862 is beyond the 3862 classes: give --num_classes" in capsys.readouterr().out


@pytest.mark.parametrize("part", ["payload", "length"])
@pytest.mark.parametrize("index", [0, 4])
def test_full_lists_the_broken(make, damage, capsys, part, index):
    files = make.shards("video", 20, 2)
    at = damage(files[1], index, part)
    assert main([*files, "--full"]) == 1
    out = capsys.readouterr().out
    assert f"broken: {files[1]} at byte {at}: " in out
    assert "1 broken records" in out


@pytest.mark.parametrize("level", ["video", "frame"])
def test_full_lists_what_does_not_parse(make, capsys, level):
    payload = make.video_payload if level == "video" else make.frame_payload
    values = {"mean_rgb": np.zeros(5), "mean_audio": np.zeros(2)}
    frames = {"rgb": np.zeros((3, 5), np.uint8), "audio": np.zeros((3, 2), np.uint8)}
    narrow = (
        video_record(b"n", values, [1]) if level == "video" else frame_record(b"n", frames, [1])
    )
    payloads = [
        payload(0),
        narrow,
        *[payload(i) for i in range(1, 18)],
        b"garbage payload",
        payload(18),
    ]
    path = make.shard("x.tfrecord", payloads)
    starts = np.cumsum([0] + [len(p) + 16 for p in payloads])
    assert main([path, "--full"]) == 1
    out = capsys.readouterr().out
    key, where = ("mean_rgb", "") if level == "video" else ("rgb", " in frame 0")
    assert f"broken: {path} at byte {starts[1]}: {key} has 5 values{where}, not 6" in out
    assert (
        f"broken: {path} at byte {starts[19]}: neither a tf.train.Example nor a SequenceExample"
        in out
    )
    assert "2 broken records" in out
    assert "(of 19 records looked at)" in out


def test_full_lists_values_that_are_not_finite(make, capsys):
    x = np.zeros(8)
    x[[1, 7]] = np.nan, np.inf
    nan = video_record(b"n", {"mean_rgb": x[:6], "mean_audio": x[6:]}, [1])
    path = make.shard("video.tfrecord", [make.video_payload(0), nan])
    assert main([path, "--full"]) == 1
    assert (
        f"at byte {len(make.video_payload(0)) + 16}: 2 of 8 values are NaN or infinite"
        in capsys.readouterr().out
    )
    frames = dequantize(make.frame_values(0, 5))
    frames[2, 3] = np.nan
    path = make.shard(
        "frame.tfrecord", [frame_record(b"n", {"rgb": frames[:, :6], "audio": frames[:, 6:]}, [1])]
    )
    assert main([path, "--full"]) == 1
    assert "at byte 0: 1 of 40 values are NaN or infinite" in capsys.readouterr().out


def test_full_reads_rated_segments(make, capsys):
    path = make.shard(
        "x.tfrecord",
        [make.frame_payload(i, segments=[(0, 1, 1.0)]) for i in range(3)] + [make.frame_payload(4)],
    )
    assert main([path, "--full"]) == 0
    assert "0 broken records" in capsys.readouterr().out


def test_unequal_lengths_are_warned_of_and_counted(make, capsys, caplog):
    x = make.frame_values(0, 9)
    path = make.shard(
        "x.tfrecord",
        [make.frame_payload(0), frame_record(b"u", {"rgb": x[:, :6], "audio": x[:7, 6:]}, [1])],
    )
    find_schema([path])
    assert caplog.messages[0].startswith(
        "--train_data_pattern: 1 of 2 records looked at have more frames of one feature"
    )
    caplog.clear()
    find_schema([path], ["rgb"])  # nothing is cut from it
    find_schema([make.shard("y.tfrecord", [make.frame_payload(i) for i in range(5)])])
    assert not caplog.messages
    assert main([path, "--full"]) == 0
    assert "unequal: 1 of 2 records looked at have more frames" in capsys.readouterr().out


def test_a_strange_record_among_the_first_is_left_to_training(make):
    values = {"mean_rgb": np.zeros(5), "mean_audio": np.zeros(2)}
    path = make.shard(
        "x.tfrecord", [make.video_payload(0), b"garbage payload", video_record(b"n", values, [1])]
    )
    assert find_schema([path], num_classes=10)[0] == make.video


def test_as_a_process(make, damage):
    files = make.shards("video", 20, 2)

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "yt8m.data.inspect", *arguments],
            check=False,
            capture_output=True,
            text=True,
        )
        assert "Traceback" not in done.stderr
        return done

    good = run(files[0])
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.startswith("video-level records with mean_rgb (6)")
    at = damage(files[1], 0, "payload")
    bad = run("--full", *files)
    assert bad.returncode == 1
    assert f"broken: {files[1]} at byte {at}" in bad.stdout
    none = run(files[0] + ".nothing")
    assert none.returncode == 2
    assert none.stderr.startswith("error: PATTERN=")
    assert "matches no file" in none.stderr


def test_features_of_whole_videos_are_read_where_they_are_named(make):
    files = [
        make.shard(
            "x.tfrecord", [make.frame_payload(i, of_video={"cdml": [1, 2, 3]}) for i in range(3)]
        )
    ]
    schema, line = find_schema(files, num_classes=10, max_frames=12)
    assert schema == make.frame
    assert line.startswith(
        "frame-level records with rgb (6), audio (2), of whole videos cdml (3); 10 classes"
    )
    schema, _ = find_schema(files, ["cdml", "rgb"], [3, 6])
    assert (schema.feature_names, schema.feature_sizes, schema.feature_size) == (("rgb",), (6,), 6)
    assert (schema.video_names, schema.video_sizes) == (("cdml",), (3,))
    assert schema.all_sizes == (
        6,
        3,
    )
    refused(
        r"--feature_names: clip is not in .*, of whole videos cdml \(3\)", files, ["rgb", "clip"]
    )
    refused("--feature_names=cdml names no feature of the frames", files, ["cdml"])
