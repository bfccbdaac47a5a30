"""Bundled models."""

import os

import numpy as np
import pytest

from tests.support.damages import each_damage, problem_with, sweep
from tests.support.predictions import content
from tests.support.runs import run_on
from tests.support.untrained import save_untrained
from yt8m.data.files.shards import find_shards
from yt8m.data.pipeline import build_dataset
from yt8m.errors import UserError
from yt8m.runs.bundle import open_bundle, write_bundle
from yt8m.runs.trained_model import TrainedModel

WEIGHTS = "best/model.weights.h5"


@pytest.fixture(scope="module")
def run(small_data, tmp_path_factory):
    return save_untrained(run_on(small_data, "LogisticModel"), tmp_path_factory.mktemp("run"))


def test_a_bundle_predicts_like_the_run(run, small_data, tmp_path):
    bundle = str(tmp_path / "model.tgz")
    write_bundle(run, bundle)
    opened = TrainedModel(open_bundle(bundle, str(tmp_path / "opened")))
    files = find_shards(small_data.pattern("test", "video"))
    batch = next(iter(build_dataset(files, opened.config.schema, batch_size=40, with_labels=False)))
    expected = TrainedModel(run).predictor(48)(batch)
    np.testing.assert_allclose(opened.predictor(40)(batch), expected, atol=1e-6)


def test_a_bundle_that_is_cut_off_or_damaged_is_refused(run, tmp_path):
    path, folder = tmp_path / "model.tgz", str(tmp_path / "opened")
    write_bundle(run, str(path))
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    cut_off = [whole[: int(len(whole) * part)] for part in (0.001, 0.3, 0.6, 0.99)]
    for damaged in [*cut_off, bytes(flipped)]:
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"model\.tgz is damaged or cannot be read"):
            open_bundle(str(path), folder)
        assert not os.path.exists(folder)


def test_a_damaged_bundle_is_named_and_an_earlier_one_stays(run, tmp_path):
    path, folder = tmp_path / "model.tgz", tmp_path / "opened"
    write_bundle(run, str(path))
    open_bundle(str(path), str(folder))
    before = content(folder)
    assert not sweep(
        tmp_path,
        {"model.tgz": lambda: open_bundle(str(path), str(folder))},
        tmp_path / "kept",
        ["model.tgz"],
    )
    assert content(folder) == before


@pytest.mark.parametrize("name", ["config.json", WEIGHTS, "classes.csv"])
def test_what_stands_where_a_bundle_is_unpacked(name, run, tmp_path):
    """It is replaced, or refused in a line that names it."""
    path, folder = str(tmp_path / "model.tgz"), tmp_path / "opened"
    write_bundle(run, path)
    open_bundle(path, str(folder))
    (folder / "classes.csv").touch()
    whole = {**content(folder), "classes.csv": b""}

    def read():
        open_bundle(path, str(folder))
        assert {**content(folder), "classes.csv": b""} == whole

    harms = ("cut", "empty", "a folder", "a loop", "a pipe")
    for damage in each_damage(folder / name, tmp_path / "kept", harms):
        assert problem_with(name, damage, read) is None


@pytest.mark.parametrize("path", ["/dev/zero", "file:///dev/zero"])
def test_a_device_is_no_bundle(path):
    # TensorFlow would copy it until the disk is full.
    with pytest.raises(UserError, match="it is no file"):
        open_bundle(path)


def test_other_files_are_not_bundles(tmp_path):
    (tmp_path / "x.tgz").write_text("no")
    with pytest.raises(UserError, match="--input_model_tgz"):
        open_bundle(str(tmp_path / "x.tgz"), str(tmp_path / "o"))
    with pytest.raises(UserError, match="does not exist"):
        open_bundle(str(tmp_path / "none.tgz"), str(tmp_path / "o"))


def test_each_process_unpacks_a_bundle_into_a_folder_of_its_own(run, tmp_path):
    bundle = str(tmp_path / "model.tgz")
    write_bundle(run, bundle)
    folders = {open_bundle(bundle), open_bundle(bundle)}
    assert len(folders) == 2
    assert "/tmp/yt8m-model" not in folders
    shared = str(tmp_path / "shared")
    assert open_bundle(bundle, shared) == open_bundle(bundle, shared) == shared
