"""Validation within an epoch: when it is made, what it keeps, and how it is resumed."""

import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf

from tests.support.alternations import Killed, dies_at
from tests.support.clock import Clock, in_session
from tests.support.runs import begun, events, losses_of, metrics_of, run_config, stop_at
from yt8m.errors import UserError
from yt8m.largescale.partitioned.refusals import check_settings
from yt8m.training.checkpoints import Checkpoints
from yt8m.training.step import TrainStep
from yt8m.training.trainer import Trainer, train
from yt8m.training.validation import Pace, Validation

# After step 3 the speed is known. The intervals have 5 steps and the epochs 12: nothing is
# validated after steps 10 and 22, because an epoch ends 2 steps later.
STEPS = [5, 12, 17, 24]


@pytest.fixture
def config(small_data, monkeypatch):
    """Two epochs with a validation every ten seconds, on a clock on which a step takes two."""
    clock = Clock(50.0)
    clock.takes(monkeypatch, TrainStep, "__call__", 2.0)
    run = run_config(small_data, "LogisticModel", epochs=2, validate_every_minutes=10 / 60)
    return in_session(run, clock, 0)


def validated(folder):
    return [e["step"] for e in events(folder, "validation")]


def test_it_validates_within_epochs_and_keeps_the_best(config, tmp_path, capsys):
    train(config, str(tmp_path))
    assert validated(tmp_path) == STEPS
    within = [bool(e.get("within_epoch")) for e in events(tmp_path, "validation")]
    assert within == [True, False, True, False]
    assert "validation step 5, within epoch 1: GAP" in capsys.readouterr().out
    best = max(events(tmp_path, "validation"), key=lambda e: e["gap"])
    assert metrics_of(tmp_path)["gap"] == best["gap"]


@pytest.mark.parametrize("at", [3, 5, 8, 10, 12])
def test_a_stopped_run_validates_after_the_steps_that_were_decided(at, config, tmp_path):
    train(config, str(tmp_path / "whole"))
    run = begun(config, tmp_path / "stopped")
    stop_at(Trainer(config, run), at)
    train(config, run.path)
    assert validated(run.path) == STEPS
    np.testing.assert_array_equal(losses_of(run.path), losses_of(tmp_path / "whole"))
    assert metrics_of(run.path)["step"] == metrics_of(tmp_path / "whole")["step"]


def test_a_killed_run_repeats_only_what_came_after_its_checkpoint(config, tmp_path, monkeypatch):
    training = dataclasses.replace(config.training, export_model_steps=4)
    config = dataclasses.replace(config, training=training)
    with monkeypatch.context() as patch:
        dies_at(patch, Checkpoints, "save", 2)  # after the validation of step 5
        with pytest.raises(Killed):
            train(config, str(tmp_path))
    assert metrics_of(tmp_path)["step"] == 5  # in the middle of the first epoch
    assert metrics_of(tmp_path, "last")["step"] == 4
    train(config, str(tmp_path))
    assert validated(tmp_path) == [5, *STEPS]
    losses = losses_of(tmp_path)
    assert losses[0] == losses[1]


def test_patience_counts_epochs_without_a_gain_in_any_validation(config, tmp_path, monkeypatch):
    scores = iter([0.3, 0.2, 0.4, 0.1, 0.4, 0.4, 0.9, 0.9])
    monkeypatch.setattr(Validation, "score", lambda *_: next(scores))
    training = dataclasses.replace(config.training, patience=1)
    recipe = dataclasses.replace(config.recipe, num_epochs=8)
    train(dataclasses.replace(config, training=training, recipe=recipe), str(tmp_path))
    assert validated(tmp_path) == [5, 12, 17, 24, 29, 36]


def test_a_run_begun_by_an_earlier_version_goes_on(config, tmp_path):
    run = begun(config, tmp_path)
    trainer = Trainer(config, run)
    saved = trainer.checkpoints
    saved._manager = tf.train.CheckpointManager(saved._old_checkpoint, run.file("checkpoints"), 2)
    stop_at(trainer, 5)
    resumed = Trainer(config, run)
    resumed.train()
    assert resumed.checkpoints.is_old
    assert [e["step"] for e in events(tmp_path, "resumed")] == [5]
    assert validated(tmp_path)[-1] == 24


def test_some_shards_stand_for_all_and_the_number_says_so(small_data, tmp_path, capsys):
    config = run_config(small_data, "LogisticModel", epochs=1, validate_examples=60)
    train(config, str(tmp_path))
    found = events(tmp_path, "validation")[0]
    assert (found["shards"], found["of_shards"]) == (2, 3)
    assert 60 <= found["num_examples"] < 160
    assert metrics_of(tmp_path)["shards"] == 2
    assert f"({found['num_examples']} videos of 2 of 3 shards in" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["validate_every_minutes", "validate_examples"])
def test_without_validation_or_in_groups_they_are_refused(name, small_data, tmp_path):
    config = run_config(small_data, "LogisticModel", eval_data_pattern="", **{name: 5})
    with pytest.raises(UserError, match=f"--{name}=5 needs records"):
        train(config, str(tmp_path))
    groups = run_config(small_data, "PmoeModel", **{name: 5})
    with pytest.raises(UserError, match=f"--{name} does not work with --trainer=partitioned"):
        check_settings(groups)


def test_workers_whose_clocks_differ_validate_after_the_same_step():
    fast, slow = Clock(), Clock()
    flags = []
    paces = [
        Pace(1.0, clock, lambda own: flags.append(own) or any(flags)) for clock in (fast, slow)
    ]
    due = []
    for step in range(1, 50):
        fast.now, slow.now = fast.now + 3.0, slow.now + 2.0
        flags.clear()
        due = [[p.due(step, 1000) for p in paces] for _ in range(2)][-1]
        assert due[0] == due[1]
        if due[0]:
            break
    assert step == 20  # of the worker whose minute is over first


def test_workers_take_calls_of_one_length(config, tmp_path, monkeypatch):
    """Each decides its next validation by its own clock; calls of unlike lengths would hang."""
    trainer = Trainer(config, begun(config, tmp_path))
    trainer.pace.next_step.assign(7)
    assert trainer._epochs()._until_due(4) == 3
    monkeypatch.setattr("yt8m.training.training_data.worker_of", lambda _: (0, 2))
    assert trainer._epochs()._until_due(4) == math.inf
