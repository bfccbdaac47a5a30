"""A run's best model can be read at any moment: after a kill, and while it is replaced."""

import contextlib
import itertools
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests.support.runs import new_run
from yt8m.data.schema import RecordSchema
from yt8m.largescale.alternating.step_model import (
    arguments_of,
    copy_model,
    load_model,
    metrics_of,
    save_model,
)
from yt8m.models.core import registry
from yt8m.runs import load
from yt8m.runs.bundle import open_bundle, write_bundle
from yt8m.runs.config import CONFIG_FILE
from yt8m.runs.folder import RunFolder
from yt8m.runs.save import save_weights
from yt8m.runs.trained_model import TrainedModel

NAME, SCHEMA = "VideoDbofBasic", RecordSchema("video", ("x",), (5,), 4)
GROWN = {"groups": [{"classes": [1, 3], "num_mixtures": 3}, {"classes": [0, 2], "num_mixtures": 1}]}
X = {"video": tf.constant(np.random.default_rng(0).normal(size=(3, 5)), tf.float32)}


def make(seed, own):
    tf.keras.utils.set_random_seed(seed)
    return registry.create(NAME, num_classes=4, feature_sizes=(5,), width=6, **own).build_weights()


class Killed(BaseException):
    """The end of the process."""


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A run with a small model in best/ and a larger one of step 2; (path, scores of either)."""
    run = RunFolder(str(tmp_path_factory.mktemp("run")))
    config = new_run("x", NAME, schema=SCHEMA, arguments={"width": 6})
    run.write_text(CONFIG_FILE, config.to_json())
    small, large = make(1, {}), make(2, GROWN)
    save_model(run, "best", small, {}, {"gap": 0.1})
    save_model(run, "step2/best", large, GROWN, {"gap": 0.2})
    return run.path, small(X).numpy(), large(X).numpy(), large


def scores(run):
    return TrainedModel(run.path).model(X).numpy()


def dying_at(call):
    """Return `rename`, whose `call`-th call ends the process, and the calls left until then."""
    left, rename = [call], tf.io.gfile.rename

    def dying(*arguments, **more):
        left[0] -= 1
        if not left[0]:
            raise Killed
        return rename(*arguments, **more)

    return dying, left


@pytest.mark.parametrize("way", ["save", "copy"])
def test_a_kill_at_any_rename_leaves_one_model_or_the_other(way, begun, tmp_path, monkeypatch):
    path, small, large, model = begun
    seen = []
    for call in itertools.count(1):
        run = RunFolder(shutil.copytree(path, tmp_path / str(call)))
        dying, left = dying_at(call)
        with monkeypatch.context() as patch, contextlib.suppress(Killed):
            patch.setattr(tf.io.gfile, "rename", dying)
            if way == "save":
                save_model(run, "best", model, GROWN, {"gap": 0.2})
            else:
                copy_model(run, "step2/best", "best", {"gap": 0.2})
        found = scores(run)
        seen.append("small" if np.allclose(found, small, atol=1e-6) else "large")
        np.testing.assert_allclose(found, small if seen[-1] == "small" else large, atol=1e-6)
        assert metrics_of(run, "best") == {"gap": 0.1 if seen[-1] == "small" else 0.2}
        if left[0] > 0:
            break
    assert seen == ["small", "large", "large", "large"]
    assert arguments_of(run, "best") == GROWN
    assert sorted(os.listdir(run.file("best"))) == [
        "metrics.json",
        "model.json",
        "model.weights.h5",
    ]


def test_a_model_that_takes_the_place_of_one_that_is_being_read_is_read_whole(
    begun, tmp_path, monkeypatch
):
    path, _, large, _ = begun
    run = RunFolder(shutil.copytree(path, tmp_path / "run"))
    made = load.make_model

    def meanwhile(config, dtype):
        if "groups" not in config.model.arguments:
            copy_model(run, "step2/best", "best", {})
        return made(config, dtype)

    monkeypatch.setattr(load, "make_model", meanwhile)
    np.testing.assert_allclose(scores(run), large, atol=1e-6)


def test_a_bundle_is_made_of_one_model(begun, tmp_path, monkeypatch):
    path, small, _, _ = begun
    run = RunFolder(shutil.copytree(path, tmp_path / "run"))
    copy_model(run, "best", "step1/best", {})
    copy_model(run, "step2/best", "best", {})
    copy, first = tf.io.gfile.copy, [True]

    def meanwhile(source, *arguments, **more):
        if first and first.pop():
            copy_model(run, "step1/best", "best", {})
        return copy(source, *arguments, **more)

    monkeypatch.setattr(tf.io.gfile, "copy", meanwhile)
    write_bundle(run.path, str(tmp_path / "m.tgz"))
    unpacked = open_bundle(str(tmp_path / "m.tgz"), str(tmp_path / "unpacked"))
    np.testing.assert_allclose(scores(RunFolder(unpacked)), small, atol=1e-6)


def test_runs_of_before_are_read_by_model_json_alone(begun, tmp_path):
    path, _, large, model = begun
    run = RunFolder(shutil.copytree(path, tmp_path / "run"))
    save_weights(model, run.file("step2", "best", "model.weights.h5"))
    assert arguments_of(run, "step2/best") == GROWN
    np.testing.assert_allclose(load_model(run, "step2/best")(X), large, atol=1e-6)
    copy_model(run, "step2/best", "best", {})
    os.remove(run.file("best", "model.json"))
    np.testing.assert_allclose(scores(run), large, atol=1e-6)


def test_arguments_in_a_file_that_is_not_local(begun, tmp_path):
    path, _, large, model = begun
    run = RunFolder("ram://yt8m-test-handoff")
    with tf.io.gfile.GFile(os.path.join(path, CONFIG_FILE)) as f:
        run.write_text(CONFIG_FILE, f.read())
    save_model(run, "best", model, GROWN, {})
    tf.io.gfile.remove(run.file("best", "model.json"))
    np.testing.assert_allclose(load_model(run, "best")(X), large, atol=1e-6)
