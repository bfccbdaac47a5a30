"""Whole runs on synthetic data: every model learns, and a stopped run resumes exactly."""

import signal

import numpy as np
import pytest
import tensorflow as tf

from tests.support.every_model import every_model
from tests.support.runs import begun, losses_of, metrics_of, prior_gap, run_config, stop_at
from yt8m.errors import UserError
from yt8m.runs.folder import RunFolder
from yt8m.runs.stop_signal import Stopped
from yt8m.training.trainer import Trainer, train


@pytest.mark.parametrize("name", every_model())
def test_every_model_beats_the_prior(name, small_data, tmp_path):
    config = run_config(small_data, name, epochs=2, recipe={"batch_size": 15})  # 80 steps
    train(config, str(tmp_path))
    best = metrics_of(tmp_path)
    assert best["gap"] > prior_gap(config) + 0.05


def test_a_run_stopped_in_mid_epoch_ends_like_one_that_was_not(small_data, tmp_path):
    """Frames, batch normalisation, Adam and averages; the label experiments do it on videos."""
    config = run_config(small_data, "DbofBasic", epochs=2, recipe={"weight_average": 0.9})
    whole = tmp_path / "whole"
    train(config, str(whole))
    stopped = tmp_path / "stopped"
    run = begun(config, stopped)
    stop_at(Trainer(config, run), 5)
    assert not run.is_done()
    train(config, str(stopped))
    # The same order and the same frames; only the last digits may differ.
    np.testing.assert_allclose(losses_of(stopped), losses_of(whole), rtol=1e-4)
    assert run.is_done()


def test_a_finished_run_is_not_trained_again(finished_run, small_data, capsys):
    before = (finished_run / "metrics.jsonl").read_text()
    train(run_config(small_data, "LogisticModel", epochs=1), str(finished_run))
    assert "already done" in capsys.readouterr().out
    assert (finished_run / "metrics.jsonl").read_text() == before


def test_a_worker_stops_when_another_was_asked_to_and_not_before_all_know(small_data, tmp_path):
    trainer = Trainer(run_config(small_data, "LogisticModel"), RunFolder(str(tmp_path)))
    answers = []

    def all_workers(own):
        answers.append(own)
        if len(answers) == 2:
            trainer.stop.received.number = signal.SIGINT  # just after this worker's vote
        return len(answers) > 2 and own

    trainer.stop.any_worker = all_workers
    with pytest.raises(Stopped) as stopped:
        trainer.train()
    assert stopped.value.number == signal.SIGINT
    assert answers == [False, False, True, True]  # the last one is about the reason
    assert trainer.step.done() == 2
    other = Trainer(run_config(small_data, "LogisticModel"), RunFolder(str(tmp_path)))
    other.stop.any_worker = lambda own: other.step.done() == 4
    with pytest.raises(Stopped) as stopped:
        other.train()
    assert stopped.value.number == signal.SIGTERM
    assert other.stop.received.number is None


def test_a_refused_attempt_does_not_stand_in_the_way_of_the_next(small_data, tmp_path):
    with pytest.raises(UserError, match="--batch_size=5000"):
        train(
            run_config(small_data, "LogisticModel", epochs=1, recipe={"batch_size": 5000}),
            str(tmp_path),
        )
    assert not (tmp_path / "config.json").exists()
    np.save(tmp_path / "priors.npy", np.full(7, 0.5))  # of the attempt, on other data
    train(run_config(small_data, "LogisticModel", epochs=1), str(tmp_path))
    assert np.load(tmp_path / "priors.npy").shape == (12,)


def test_mirrored_and_one_device_learn_alike(small_data, tmp_path):
    tf.distribute.MirroredStrategy._collective_key_base += 1000
    for strategy in ("one", "mirrored"):
        train(
            run_config(small_data, "MoeModel", epochs=1, strategy=strategy),
            str(tmp_path / strategy),
        )
    np.testing.assert_allclose(
        losses_of(tmp_path / "one"), losses_of(tmp_path / "mirrored"), rtol=0.02
    )
