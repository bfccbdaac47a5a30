"""A run may start with the weights of an earlier one; what does not fit is named."""

import shutil

import numpy as np
import pytest

from tests.support.runs import metrics_of, run_config
from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.runs.folder import RunFolder
from yt8m.training.trainer import Trainer, train

ARGUMENTS = {"num_classes": 5, "feature_sizes": (6, 2), "width": 6}


def test_a_warm_start_takes_every_weight_even_of_frozen_layers():
    other = registry.create("DbofBasic", **ARGUMENTS).build_weights()
    other.set_weights(
        [np.random.default_rng(0).uniform(0.1, 1.0, w.shape) for w in other.get_weights()]
    )
    model = registry.create("DbofBasic", **ARGUMENTS)
    model.trainable = False  # Keras 2 then lists the weights in another order
    model.build_weights().initialize_from(other)
    model.trainable = True
    for mine, theirs in zip(model.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(mine, theirs)


def test_what_does_not_fit_is_named():
    model = registry.create("DbofBasic", **ARGUMENTS).build_weights()
    narrow = registry.create("DbofBasic", **{**ARGUMENTS, "width": 4}).build_weights()
    with pytest.raises(UserError, match=r"DbofBasic.*width 4 there and 6 here"):
        model.initialize_from(narrow)
    with pytest.raises(UserError, match="a run of MoeModel, and DbofBasic"):
        model.initialize_from(
            registry.create("MoeModel", num_classes=5, feature_sizes=(6, 2)).build_weights()
        )


def test_a_run_starts_where_another_ended(finished_run, small_data, tmp_path):
    config = run_config(
        small_data,
        "LogisticModel",
        epochs=1,
        recipe={"base_learning_rate": 0.0},
        init_from=str(finished_run),
    )
    train(config, str(tmp_path))
    before, after = (metrics_of(folder)["loss"] for folder in (finished_run, tmp_path))
    assert after == pytest.approx(before, rel=1e-5)


def test_arguments_that_change_no_shape_are_named(finished_run, small_data, tmp_path, capsys):
    config = run_config(
        small_data,
        "LogisticModel",
        epochs=1,
        arguments={"input_norm": "none"},
        init_from=str(finished_run),
    )
    Trainer(config, RunFolder(str(tmp_path))).begin()
    assert "that differ: input_norm 'l2' there and 'none' here" in capsys.readouterr().out


def test_resuming_does_not_start_again(finished_run, small_data, tmp_path, monkeypatch):
    config = run_config(small_data, "LogisticModel", epochs=2, init_from=str(finished_run))
    run = shutil.copytree(finished_run, tmp_path / "run")
    monkeypatch.setattr("yt8m.training.trainer.initialize", lambda *a: pytest.fail("loaded again"))
    trainer = Trainer(config, RunFolder(str(run)))
    trainer.begin()
    assert trainer.step.done() == 12


def test_a_folder_without_a_run_is_named(small_data, tmp_path):
    with pytest.raises(UserError, match=r"--init_from=.*nothing does not exist"):
        train(
            run_config(small_data, "LogisticModel", epochs=1, init_from=str(tmp_path / "nothing")),
            str(tmp_path / "run"),
        )
