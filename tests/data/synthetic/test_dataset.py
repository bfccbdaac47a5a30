"""The synthetic data set: equal bytes for equal specs, and the patterns that it promises."""

import dataclasses
import json
import os

import numpy as np
import pytest
import tensorflow as tf

from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.pipeline import build_dataset
from yt8m.data.records.quantization import dequantize
from yt8m.data.records.writers import video_record, write_shard
from yt8m.data.synthetic.__main__ import main
from yt8m.data.synthetic.around_means import frames_around, from_video_level
from yt8m.data.synthetic.dataset import make_synthetic
from yt8m.data.synthetic.world import SyntheticSpec
from yt8m.errors import UserError

SPEC = SyntheticSpec(
    videos=(("train", 60), ("validate", 10), ("test", 10)), num_classes=10, feature_sizes=(12, 4)
)


def read(pattern):
    files = find_shards(pattern)
    schema, _ = find_schema(files)
    batches = [
        {k: v.numpy() for k, v in b.items()} for b in build_dataset(files, schema, batch_size=16)
    ]
    return schema, {k: np.concatenate([b[k] for b in batches]) for k in batches[0]}


def contents(folder):
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(root, name), "rb") as f:
                found[os.path.relpath(os.path.join(root, name), folder)] = f.read()
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_synthetic(str(tmp_path_factory.mktemp("synthetic") / "a"), SPEC)


def test_equal_specs_give_equal_bytes(made, tmp_path):
    again = contents(make_synthetic(str(tmp_path / "b"), SPEC).folder)
    assert again == contents(made.folder)
    assert len(again) == 2 * (3 * 4 + 1) + 1
    other = contents(
        make_synthetic(str(tmp_path / "c"), SyntheticSpec(**{**SPEC.__dict__, "seed": 1})).folder
    )
    assert other["frame/train0000.tfrecord"] != again["frame/train0000.tfrecord"]


def test_levels_hold_the_same_videos(made):
    schema, frame = read(made.pattern("train", "frame"))
    assert schema.level == "frame"
    assert schema.feature_sizes == (12, 4)
    assert schema.num_classes == 10
    schema, video = read(made.pattern("train", "video"))
    assert schema.level == "video"
    assert schema.feature_names == ("mean_rgb", "mean_audio")
    np.testing.assert_array_equal(frame["id"], video["id"])
    np.testing.assert_array_equal(frame["labels"], video["labels"])
    assert len(set(frame["id"])) == 60
    assert frame["labels"].sum(1).min() >= 1
    for row, n in enumerate(frame["num_frames"]):
        assert SPEC.min_frames <= n <= SPEC.max_frames
        np.testing.assert_allclose(
            dequantize(frame["frames"][row, :n]).mean(0), video["video"][row], atol=1e-5
        )


def test_test_split_has_no_labels(made):
    assert not read(made.pattern("test", "frame"))[1]["labels"].any()


def test_ratings_come_on_demand_and_change_nothing_else(made, tmp_path):
    spec = dataclasses.replace(SPEC, segment_labels=True)
    rated = make_synthetic(str(tmp_path / "rated"), spec)
    assert "segment_labels" not in json.loads(SPEC.about())
    assert json.loads(spec.about())["segment_labels"] is True
    plain, with_ratings = contents(made.folder), contents(rated.folder)
    same = {name for name in plain if plain[name] == with_ratings[name]}
    assert same == {
        n
        for n in plain
        if not n.startswith(("frame/train", "frame/validate")) or n.endswith(".csv")
    } - {"synthetic.json"}
    for split in ("train", "validate"):
        np.testing.assert_array_equal(
            read(made.pattern(split, "frame"))[1]["frames"],
            read(rated.pattern(split, "frame"))[1]["frames"],
        )
    files = find_shards(rated.pattern("train", "frame"))
    schema, _ = find_schema(files, segment_labels=True)
    batches = list(build_dataset(files, schema, batch_size=64))
    weights, labels = (np.concatenate([b[k] for b in batches]) for k in ("weights", "labels"))
    assert len(labels) > 3 * 60
    assert (weights.sum(1) >= 1).all()
    assert 0.1 < labels.sum() / weights.sum() < 0.5
    with pytest.raises(UserError, match="made with other settings"):
        make_synthetic(made.folder, spec)


def test_an_existing_set_is_kept_or_refused(made):
    before = contents(made.folder)
    assert make_synthetic(made.folder, SPEC) == made
    assert contents(made.folder) == before
    with pytest.raises(UserError, match=r"--out_dir=.*made with other settings"):
        make_synthetic(made.folder, SyntheticSpec(noise=0.1))


def test_frames_around_keep_the_mean():
    rng = np.random.default_rng(0)
    mean = rng.uniform(-0.5, 0.5, 50).astype(np.float32)
    x = dequantize(frames_around(mean, 200, rng))
    assert np.abs(x.mean(0) - mean).max() < 0.02
    assert 0.3 < x.std(0).mean() < 0.6
    centred = x - x.mean(0)
    neighbours = (centred[1:] * centred[:-1]).mean() / (centred**2).mean()
    assert neighbours > 0.75  # frames that follow each other are alike


def around_real(pattern, tmp_path, tolerance):
    out = str(tmp_path / "frames")
    files = find_shards(pattern)
    count = from_video_level(pattern, out, num_frames=(120, 130))
    _, video = read(",".join(files))
    _, frame = read(out + "/*.tfrecord")
    assert count == len(video["id"])
    np.testing.assert_array_equal(frame["id"], video["id"])
    np.testing.assert_array_equal(frame["labels"], video["labels"])
    means = np.stack(
        [dequantize(f[:n]).mean(0) for f, n in zip(frame["frames"], frame["num_frames"])]
    )
    assert np.abs(means - video["video"]).mean() < tolerance
    assert frame["num_frames"].min() >= 120
    assert frame["num_frames"].max() <= 130
    assert from_video_level(pattern, out) == 0  # what is there is not made again
    return np.abs(means - video["video"]).max()


def test_from_video_level(tmp_path):
    rng = np.random.default_rng(3)
    for shard in range(2):
        records = [
            video_record(
                b"v%d%d" % (shard, i),
                {"mean_rgb": rng.uniform(-0.5, 0.5, 8), "mean_audio": rng.uniform(-0.5, 0.5, 2)},
                [i],
            )
            for i in range(5)
        ]
        write_shard(str(tmp_path / "video" / f"{shard}.tfrecord"), records)
    assert around_real(str(tmp_path / "video" / "*.tfrecord"), tmp_path, 0.02) < 0.02


@pytest.mark.skipif(
    not os.environ.get("YT8M_SAMPLE_DIR"),
    reason="YT8M_SAMPLE_DIR, a folder of real records, is not set",
)
def test_from_real_video_level(tmp_path):
    first = find_shards(os.path.join(os.environ["YT8M_SAMPLE_DIR"], "train", "*.tfrecord"))[0]
    some = [x.numpy() for x in tf.data.TFRecordDataset(first).take(20)]
    write_shard(str(tmp_path / "video" / "real.tfrecord"), some)
    around_real(str(tmp_path / "video" / "*.tfrecord"), tmp_path, 0.02)


def test_command_refuses_what_cannot_be(tmp_path, capsys):
    assert main(["--out_dir", str(tmp_path), "--from_video_level", str(tmp_path / "none*")]) == 2
    assert "error: --from_video_level=" in capsys.readouterr().err
    assert main(["--out_dir", str(tmp_path), "--from_video_level", "x", "--segment_labels"]) == 2
    assert (
        "error: --segment_labels: frames around real means have no scenes"
        in capsys.readouterr().err
    )
