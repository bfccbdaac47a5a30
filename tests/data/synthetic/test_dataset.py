"""The synthetic data set: equal bytes for equal specs, and the patterns that it promises."""

import dataclasses
import json
import os

import numpy as np
import pytest

from tests.support.records import read
from yt8m import locks
from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.pipeline import build_dataset
from yt8m.data.records.quantization import dequantize
from yt8m.data.synthetic import dataset
from yt8m.data.synthetic.dataset import make_synthetic
from yt8m.data.synthetic.world import SyntheticSpec
from yt8m.errors import UserError

SPEC = SyntheticSpec(
    videos=(("train", 60), ("validate", 10), ("test", 10)), num_classes=10, feature_sizes=(12, 4)
)


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


@pytest.mark.parametrize("name", ["frame/train0000.tfrecord", "video/vocabulary.csv"])
def test_somebodys_records_are_not_replaced(name, tmp_path):
    theirs = tmp_path / name
    theirs.parent.mkdir()
    theirs.write_text("theirs")
    with pytest.raises(UserError, match=f"has {name}, but no synthetic.json"):
        make_synthetic(str(tmp_path), SPEC)
    assert contents(tmp_path) == {name: b"theirs"}


def test_what_a_killed_process_left_is_made_whole(made, tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(dataset, "write_vocabulary", kill)
        with pytest.raises(Killed):
            make_synthetic(str(tmp_path), SPEC)
    assert (tmp_path / "frame" / "train0000.tfrecord").exists()
    make_synthetic(str(tmp_path), SPEC)
    assert contents(tmp_path) == contents(made.folder)


def test_two_processes_do_not_write_one_set(tmp_path):
    held = locks.held(locks.inside(str(tmp_path)), "--out_dir=x")
    with held, pytest.raises(UserError, match=f"--out_dir={tmp_path}"):
        make_synthetic(str(tmp_path), SPEC)
    assert contents(tmp_path) == {}
