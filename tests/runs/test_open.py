"""Opening the folder of a run that is to be trained."""

import dataclasses
import re
import shutil

import pytest
import tensorflow as tf

from tests.support.runs import run_config
from yt8m.errors import UserError
from yt8m.runs import open as opening
from yt8m.runs.config import check_same_run
from yt8m.runs.open import open_run


@pytest.mark.parametrize("chief", [True, False])
def test_of_several_workers_only_the_chief_deletes_an_earlier_run(
    chief, small_data, tmp_path, monkeypatch
):
    config = run_config(small_data, "LogisticModel")
    (tmp_path / "config.json").write_text(config.to_json())
    (tmp_path / "done").write_text("")
    calls = []

    def others_come(_):
        calls.append((tmp_path / "done").exists())
        (tmp_path / "config.json").unlink(missing_ok=True)  # the chief has been here by now

    monkeypatch.setattr(opening, "is_chief", lambda _: chief)
    monkeypatch.setattr(opening, "any_worker", lambda _: others_come)
    _, _, finished = open_run(
        config, str(tmp_path), True, tf.distribute.OneDeviceStrategy("/cpu:0")
    )
    assert calls == [not chief]
    assert not finished


def test_other_settings_are_refused_and_shown(finished_run, small_data, tmp_path):
    run = shutil.copytree(finished_run, tmp_path / "run")
    other = run_config(small_data, "LogisticModel", epochs=1, recipe={"base_learning_rate": 0.5})
    message = "recipe.base_learning_rate: the run has 0.02, the flags say 0.5"
    with pytest.raises(UserError, match=re.escape(message)):
        open_run(other, str(run))
    _, folder, finished = open_run(other, str(run), start_new_model=True)
    assert not finished
    assert not folder.exists()


def test_a_run_of_one_step_a_call_goes_on_as_its_devices_need(finished_run, small_data, capsys):
    """One step was the default; the choice by the device is no other setting."""
    began = run_config(small_data, "LogisticModel", epochs=1, steps_per_call=1)
    now = dataclasses.replace(began.training, steps_per_call=0)
    assert check_same_run(began, dataclasses.replace(began, training=now), "run") is None
    many = dataclasses.replace(began.training, steps_per_call=4)
    changed = check_same_run(began, dataclasses.replace(began, training=many), "run")
    assert changed.endswith("training.steps_per_call 1 -> 4")


def test_a_finished_run_is_not_extended_under_another_keras(finished_run, small_data, tmp_path):
    run = shutil.copytree(finished_run, tmp_path / "run")
    config = run_config(small_data, "LogisticModel", epochs=1)
    began = dataclasses.replace(config, facts={"keras": "2.15.0"})
    (run / "config.json").write_text(began.to_json())
    now = dataclasses.replace(config, facts={"keras": "3.5.0"})
    assert open_run(now, str(run))[2]  # It is done, and nothing is restored.
    longer = dataclasses.replace(now, recipe=dataclasses.replace(now.recipe, num_epochs=2))
    with pytest.raises(UserError, match=r"begun under Keras 2\.15\.0"):
        open_run(longer, str(run))


@pytest.mark.parametrize("flag", ["init_from", "priors_from"])
def test_a_run_is_not_deleted_to_start_from_it(flag, small_data, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    config = run_config(small_data, "LogisticModel", epochs=1, **{flag: f"{tmp_path}/"})
    with pytest.raises(UserError, match=f"--start_new_model would delete --{flag}="):
        open_run(config, str(tmp_path), start_new_model=True)
    assert (tmp_path / "config.json").exists()
