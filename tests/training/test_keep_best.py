"""Validation after each epoch, and the models that a run keeps."""

import shutil

import h5py
import numpy as np
import pytest

from tests.support.runs import begun, events, losses_of, metrics_of, run_config, stop_at
from yt8m import files
from yt8m.errors import UserError
from yt8m.runs.folder import RunFolder
from yt8m.runs.load import about_weights, described, saved_step
from yt8m.runs.trained_model import TrainedModel
from yt8m.training.trainer import Trainer, train
from yt8m.training.validation import Validation


def test_validation_records_that_do_not_fit_are_refused_before_the_first_step(small_data, tmp_path):
    config = run_config(
        small_data, "LogisticModel", eval_data_pattern=small_data.pattern("validate", "frame")
    )
    with pytest.raises(UserError, match="--eval_data_pattern"):
        train(config, str(tmp_path))
    assert not (tmp_path / "config.json").exists()
    assert not (tmp_path / "metrics.jsonl").exists()


def test_an_epoch_whose_validation_failed_is_validated_when_the_run_goes_on(
    small_data, tmp_path, monkeypatch
):
    config = run_config(small_data, "LogisticModel", epochs=2)
    train(config, str(tmp_path / "whole"))

    def fails(*_):
        raise UserError("a shard of --eval_data_pattern is broken")

    with monkeypatch.context() as patch:
        patch.setattr(Validation, "__call__", fails)
        with pytest.raises(UserError, match="is broken"):
            train(config, str(tmp_path / "repaired"))
    train(config, str(tmp_path / "repaired"))
    logged = [
        [(e["epoch"], e["step"]) for e in events(tmp_path / name, "validation")]
        for name in ("whole", "repaired")
    ]
    assert logged[0] == logged[1] == [(1, 12), (2, 24)]
    np.testing.assert_allclose(
        losses_of(tmp_path / "repaired"), losses_of(tmp_path / "whole"), rtol=1e-5
    )


def test_a_run_without_validation_keeps_its_last_model_and_may_be_given_one(small_data, tmp_path):
    config = run_config(small_data, "LogisticModel", epochs=1, eval_data_pattern="")
    run = begun(config, tmp_path)
    stop_at(Trainer(config, run), 5)
    assert metrics_of(tmp_path, "last")["step"] == 5
    TrainedModel(str(tmp_path))
    validated = run_config(small_data, "LogisticModel", epochs=1)
    train(validated, str(tmp_path))
    assert metrics_of(tmp_path)["step"] == 12
    assert run.load_config().training.eval_data_pattern  # for eval.py, which asks for none


def test_a_model_is_described_by_its_own_file(finished_run, tmp_path):
    """A process that is killed between two renames leaves the metrics of the model before."""
    run = RunFolder(shutil.copytree(finished_run, tmp_path / "run"))
    for name in ("best", "last"):
        metrics = files.read_json(run.file(name, "metrics.json"))
        weights = run.file(name, "model.weights.h5")
        assert about_weights(weights) == metrics
        files.write_json(run.file(name, "metrics.json"), {**metrics, "step": 3, "gap": 0.0})
        assert saved_step(weights) == 12
        assert f"(step 12 of 12, validation GAP {metrics['gap']:.4f})" in described(weights)


def test_the_metrics_of_an_older_run_are_beside_its_model(finished_run, tmp_path):
    run = RunFolder(shutil.copytree(finished_run, tmp_path / "run"))
    with h5py.File(run.file("last", "model.weights.h5"), "r+") as f:
        del f["metrics.json"]
    assert saved_step(run.file("last", "model.weights.h5")) == 12


@pytest.mark.parametrize(("rate", "min_gain"), [(0.0, 0.0), (0.02, 1.0)])
def test_patience_stops_early(rate, min_gain, small_data, tmp_path):
    config = run_config(
        small_data,
        "LogisticModel",
        epochs=8,
        recipe={"base_learning_rate": rate},
        patience=2,
        min_gain=min_gain,
    )
    train(config, str(tmp_path))
    # The first is the best; two more are no better, or not by enough.
    assert len(losses_of(tmp_path)) == 3


def test_a_run_killed_after_its_last_validation_keeps_the_metrics_of_its_last_model(
    finished_run, small_data, tmp_path
):
    run = RunFolder(shutil.copytree(finished_run, tmp_path / "run"))
    before = metrics_of(run.path, "last")
    assert before["gap"]
    run.set_going_on()  # as a process leaves it that is killed before it says that it is done
    train(run_config(small_data, "LogisticModel", epochs=1), run.path)
    assert metrics_of(run.path, "last") == before
