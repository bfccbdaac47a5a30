"""Alternations of frame-level models, with and without a given frame network."""

import dataclasses
import functools
import json

import numpy as np
import pytest

from tests.support.alternations import config_of, steps_of
from yt8m.evaluation.evaluate_run import evaluate_run
from yt8m.largescale.alternating import trainer
from yt8m.runs.config import ModelConfig
from yt8m.runs.trained_model import TrainedModel


@pytest.fixture(scope="module")
def on_frames(small_data, tmp_path_factory):
    """Return a function that gives the run of a frame-level model, made once."""

    @functools.cache
    def run_of(name):
        folder = tmp_path_factory.mktemp(name)
        config = config_of(small_data, name, batch_fraction=0.5, step2_max_epochs=4)
        trainer.train(config, str(folder))
        return folder

    return run_of


@pytest.mark.parametrize(
    "name",
    [
        "DbofBasic",
        pytest.param("DbofCgate", marks=pytest.mark.slow),
        pytest.param("DbofResNet", marks=pytest.mark.slow),
    ],
)
def test_frame_models_alternate(name, on_frames, small_data, tmp_path):
    folder = on_frames(name)
    gaps = {(n, i): gap for n, i, gap in steps_of(folder)}
    assert gaps[("cycle1_step2", 4)] > 0.25
    assert gaps[("cycle1_step3", 2)] > 0.25
    best = json.loads((folder / "best" / "metrics.json").read_text())
    records = small_data.pattern("validate", "frame")
    trained = TrainedModel(str(folder))
    result = evaluate_run(trained, records, str(tmp_path / "eval"), say=lambda _: None)
    assert result["gap"] == pytest.approx(best["gap"], abs=1e-5)


def test_with_a_frame_network_given_only_what_follows_it_is_trained(
    on_frames, small_data, tmp_path
):
    first = on_frames("DbofBasic")
    config = config_of(
        small_data,
        "DbofBasic",
        alternation="large_moe",
        frame_network=str(first),
        step2_max_epochs=1,
    )
    model = ModelConfig("DbofBasic", {"width": 16, "num_mixtures": 3})
    config = dataclasses.replace(config, model=model)
    trainer.train(config, str(tmp_path))
    old, new = TrainedModel(str(first)).model, TrainedModel(str(tmp_path), "last").model
    np.testing.assert_array_equal(new.frame_fc.get_weights()[0], old.frame_fc.get_weights()[0])
    assert np.any(new.video_fc.get_weights()[0] != old.video_fc.get_weights()[0])
    half = tmp_path / "alternation" / "video_level"
    ours, theirs = (json.loads((f / "best" / "metrics.json").read_text()) for f in (tmp_path, half))
    assert ours["gap"] == pytest.approx(theirs["gap"], abs=1e-5)
    assert ours["after"] == theirs["after"]
    assert [name for name, _, _ in steps_of(tmp_path)] == ["step1", "step1", "cycle1_step2"]
    pooled = sorted((tmp_path / "alternation" / "pooled" / "train").glob("*.tfrecord"))
    assert len(pooled) == 3
    trainer.train(config, str(tmp_path))  # it is done
