"""What is not as it seems is recognized by several signs, and named."""

import gzip
import pathlib
import re
import zlib

import numpy as np
import pytest
import tensorflow as tf

from tests.support.commands import run_command
from tests.support.records import rgb_audio_frames, rgb_audio_means, stream
from yt8m.data.features.encoding import numbers_in
from yt8m.data.files import count
from yt8m.data.files.bad_records import BadRecord, BadRecords
from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.inspect import main as inspect
from yt8m.data.pipeline import read_batches
from yt8m.data.priors import sampled_counts
from yt8m.data.record_index import build_index
from yt8m.data.records.writers import frame_record, video_record
from yt8m.errors import UserError

RNG = np.random.default_rng(0)


def refused(match, path, **more):
    with pytest.raises(UserError, match=match):
        find_schema([path], num_classes=10, **more)


def of_release(i, **more):
    x = np.random.default_rng(i).normal(0, 0.3, 1152).clip(-1.9, 1.9)
    return rgb_audio_means(i, x, [i % 7], rgb=1024, **more)


@pytest.fixture
def with_tail(make):
    files = [
        make.shard(f"{s}.tfrecord", [make.video_payload(60 * s + i) for i in range(60)])
        for s in range(3)
    ]
    with open(files[1], "ab") as f:
        f.write(bytes(5_000_000))
    return files


def test_zeros_at_the_end_count_nowhere_and_are_reported(make, with_tail, monkeypatch, capsys):
    files = with_tail
    found = count.count(files)
    assert (found.records, found.exact, list(found.ends)) == (180, True, [files[1]])
    assert "no record is in the last 5,000,000 bytes" in count.lost_ends(found)[0]
    bad = BadRecords(1)
    assert build_index(files, "video", 10, bad).num_records == 180
    assert "begin with zeros" in bad.summary()
    assert sampled_counts(files, make.video)[1] == 180
    assert len(stream(files, make.video, bad_records=BadRecords(1))["id"]) == 180
    assert inspect(files) == 0
    assert "180 records\n" + files[1] in capsys.readouterr().out
    monkeypatch.setattr(count, "_SHARDS_TO_WALK", 2)
    estimate, exact = count.count_records(files)
    assert not exact
    assert abs(estimate - 180) <= 1


def test_files_of_other_kinds_are_called_what_they_are(make, tmp_path):
    whole = pathlib.Path(make.shard("a.tfrecord", [make.video_payload(0)])).read_bytes()
    kinds = {
        r"compressed \(gzip\).*gunzip -c": gzip.compress(whole),
        r"compressed \(zlib\)": zlib.compress(whole),
        "a bare SequenceExample, as MediaPipe.*yt8m convert": make.frame_payload(1),
        "a bare tf.train.Example": make.video_payload(1),
        "a web page": b"<!DOCTYPE html><p>404</p>",
        "text that begins with 'id,labels'": b"id,labels\na,1\n",
        "a Parquet file": b"PAR1" + bytes(40),
        "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\n",
    }
    for n, (words, content) in enumerate(kinds.items()):
        path = tmp_path / f"{n}.tfrecord"
        path.write_bytes(content)
        refused(f"--train_data_pattern: {path} is not a TFRecord file: it is .*{words}", str(path))


def test_an_empty_shard_is_said(make, tmp_path, caplog):
    good = make.shard("a.tfrecord", [make.video_payload(0)])
    (tmp_path / "b.tfrecord").write_bytes(b"")
    assert find_shards(f"{tmp_path}/*.tfrecord") == [good, f"{tmp_path}/b.tfrecord"]
    assert "b.tfrecord is empty (0 bytes)" in caplog.text
    refused("contain no complete record: every file examined is empty", f"{tmp_path}/b.tfrecord")


def test_paths_that_exist_are_found(make, tmp_path):
    (tmp_path / "run[1]").mkdir()
    make.shard("run[1]/a,b.tfrecord", [b"x"])
    found = [f"{tmp_path}/run[1]/a,b.tfrecord"]
    assert find_shards(found[0]) == found
    assert find_shards(f"{tmp_path}/run[1]/*.tfrecord") == found
    for pattern, what in (("run[1]", "is a folder"), ("run?1?", "matches no file but .*run.1.")):
        with pytest.raises(UserError, match=what + r"; name the files inside.*\*\.tfrecord'"):
            find_shards(f"{tmp_path}/{pattern}")
    with pytest.raises(UserError, match="Braces are not expanded"):
        find_shards(f"{tmp_path}/{{a}}*")


def test_a_record_without_a_list_is_broken_and_named(make, capsys):
    lacking = frame_record(b"n", {"rgb": np.zeros((4, 6), np.uint8)}, [1])
    path = make.shard("x.tfrecord", [make.frame_payload(0), lacking, make.frame_payload(2)])
    assert inspect([path, "--full"]) == 1
    at = len(make.frame_payload(0)) + 16
    assert f"{path} at byte {at}: no list of the frames of audio" in capsys.readouterr().out
    with pytest.raises(tf.errors.OpError, match="audio"):
        stream([path], make.frame)


def test_added_features_are_read_only_where_they_are_named(make):
    path = make.shard(
        "x.tfrecord", [video_record(b"a", {"own": [1, 2, 3], "duration": [9]}, [1])] * 2
    )
    schema, line = find_schema([path], num_classes=10)
    assert schema.feature_names == ("own",)
    assert "duration not read unless --feature_names has it" in line
    assert find_schema([path], ["own", "duration"], num_classes=10)[0].feature_size == 4
    record = tf.train.Example.FromString(of_release(0))
    record.features.feature["mine"].float_list.value.extend([1.0] * 64)
    path = make.shard("y.tfrecord", [record.SerializeToString(), of_release(1)])
    schema, line = find_schema([path])
    assert schema.feature_names == ("mean_rgb", "mean_audio")
    assert "; mine not read unless" in line
    both = [video_record(b"a", {"mean_flow": np.ones(64), "mean_own": np.ones(32)}, [1])]
    assert find_schema([make.shard("z.tfrecord", both)], num_classes=9)[0].feature_size == 96


@pytest.mark.parametrize("kind", ["float16", "float32"])
def test_numbers_in_bytes_are_told_by_their_values(make, kind):
    def record(i):
        x = np.random.default_rng(i).normal(0, 0.7, (5, 128)).astype(kind)
        return frame_record(b"%d" % i, {"rgb": x.view(np.uint8)}, [1])

    path = make.shard("x.tfrecord", [record(i) for i in range(4)])
    size = 128 * np.dtype(kind).itemsize
    refused(f"rgb has {size} bytes a frame .* are 128 {kind} numbers", path)
    assert find_schema([path], ["rgb"], [size], num_classes=10)[0].feature_sizes == (size,)
    refused(
        f"the run was trained on rgb \\(128\\).*have rgb \\({size}\\); rgb looks like 128 {kind}",
        path,
        feature_names=["rgb"],
        feature_sizes=[128],
        of_run=True,
    )


def test_bytes_of_any_width_are_bytes():
    for size in (128, 1024, 2048, 4096):
        normal = (RNG.normal(128, 40, (12, size))).clip(0, 255).astype(np.uint8)
        for x in (normal, RNG.integers(0, 256, (12, size), np.uint8), normal // 4 + 40):
            assert not numbers_in([row.tobytes() for row in x])


def test_all_frames_in_one(make):
    def record(n):
        x = RNG.integers(0, 256, (1, 1152 * n), np.uint8)
        return rgb_audio_frames(n, x, [1], rgb=1024 * n)

    refused(
        "one frame with all values of its video: 12,288 = 12 x 1,024 of rgb, 1,536 = 12 x 128",
        make.shard("x.tfrecord", [record(12)] * 3),
    )
    refused("other multiples in other records", make.shard("y.tfrecord", [record(4), record(7)]))
    wide = frame_record(b"a", {"rgb": RNG.integers(0, 256, (1, 2048), np.uint8)}, [1])
    assert find_schema([make.shard("z.tfrecord", [wide])], num_classes=10)[0].feature_size == 2048


def test_records_without_a_feature_that_can_be_read(make):
    def example(**features):
        values = {
            k: tf.train.Feature(bytes_list=tf.train.BytesList(value=v)) for k, v in features.items()
        }
        return tf.train.Example(features=tf.train.Features(feature=values)).SerializeToString()

    means = make.shard("m.tfrecord", [example(id=[b"a"], mean_rgb=[bytes(2048)])])
    refused("mean_rgb is one string of 2,048 bytes.*float lists", means)
    frames = make.shard("f.tfrecord", [example(id=[b"a"], rgb=[bytes(9)] * 5)])
    refused("rgb is 5 strings of 9 bytes.*frames belong into the feature lists", frames)
    named = make.shard("n.tfrecord", [example(id=[b"a"], labels=[b"Game"])])
    refused("contains only id, labels", named)
    texts = video_record(b"a", {"own": [1, 2]}, None) + example(labels=[b"Game"])
    refused("are one string of 4 bytes; expected a list of", make.shard("t.tfrecord", [texts]))


def test_messages_in_evaluation_advise_what_can_be_done(make):
    path = make.shard("x.tfrecord", [make.video_payload(0)])
    refused(
        "the run was trained on clip, but clip is not in", path, feature_names=["clip"], of_run=True
    )
    files = make.shards("video", 4, 1)
    few = make.video.__class__("video", make.video.feature_names, make.video.feature_sizes, 2)
    trained = pytest.raises(UserError, match="on which the run was trained")
    with trained as error, BadRecords().explained(2, of_run=True):
        stream(files, few)
    assert "--num_classes" not in str(error.value)
    bad = BadRecords(9)
    bad.add(BadRecord("f", 7, "cut"))
    with pytest.raises(UserError, match="no record could be read: skipped 1"):
        list(bad.unless_all_are_broken(iter(())))


def test_training_on_broken_records_says_that_they_are_broken(make, damage, tmp_path):
    path = make.shard("x.tfrecord", [make.video_payload(i) for i in range(24)])

    def train():
        return run_command(
            "train", "--model=LogisticModel", f"--train_data_pattern={path}", "--num_classes=10",
            f"--train_dir={tmp_path}/run", "--batch_size=8", "--num_epochs=1",
        )  # fmt: skip

    for index in range(5, 24):
        damage(path, index, "payload")
    ended = train()
    assert ended.code == 2
    assert "too many are broken; skipped 19 broken records" in ended.err
    for index in range(5):
        damage(path, index, "payload")
    ended = train()
    assert ended.code == 2
    assert re.search(r"contain no complete record; .* at byte 0: .*checksum", ended.err)


def test_float_frames_that_become_bytes(make):
    def record(i, value):
        features = {"RGB/feature/floats": np.full((3, 1024), value, np.float32)}
        features["AUDIO/feature/floats"] = np.zeros((3, 128), np.float32)
        return frame_record(b"v%d" % i, features, [i % 7], id_key="clip/data_path")

    values = [0.1] * 9 + [2.5]
    path = make.shard("a.tfrecord", [record(i, value) for i, value in enumerate(values)])
    schema, findings = find_schema([path], num_classes=10)
    assert schema.frames_as == "bytes"
    assert "3,072 of the 30,720 values of rgb are beyond -2 to 2.02" in str(findings)
    # What is no number would be a byte like any other.
    path = make.shard("b.tfrecord", [record(i, np.nan if i == 4 else 0.1) for i in range(10)])
    bad = BadRecords(1)
    batches = list(read_batches([path], schema, bad, batch_size=10))
    assert [len(batch["id"]) for batch in batches] == [9]
    assert "RGB/feature/floats has values in frame 0 that are NaN or infinite" in bad.summary()
