"""Sessions that end by --max_minutes: saved in time, whatever the run was doing, and resumed."""

import weakref

import numpy as np
import pytest

from tests.support.clock import Clock, in_session
from tests.support.runs import begun, events, losses_of, metrics_of, run_config
from yt8m import listing
from yt8m.runs.predictor import Predictor
from yt8m.runs.stop_signal import Stopped
from yt8m.runs.trained_model import TrainedModel
from yt8m.training.checkpoints import Checkpoints
from yt8m.training.step import TrainStep
from yt8m.training.trainer import Trainer, train
from yt8m.training.training_data import TrainingData


@pytest.fixture(scope="module")
def undisturbed(small_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    train(run_config(small_data, "LogisticModel", epochs=3), str(folder))
    return folder


@pytest.fixture
def clock(monkeypatch):
    """A clock on which a step takes 2 s, a checkpoint 4 s and a batch of the validation 3 s."""
    clock = Clock(100.0)
    clock.takes(monkeypatch, TrainStep, "__call__", 2.0)
    clock.takes(monkeypatch, Checkpoints, "save", 4.0)
    clock.takes(monkeypatch, Predictor, "__call__", 3.0)
    return clock


def session(config, folder, clock, minutes):
    """Train for a session; return how many seconds before its end it had saved."""
    end = clock() + 60 * minutes
    with pytest.raises(Stopped) as stopped:
        train(in_session(config, clock, minutes), str(folder))
    assert stopped.value.code == 75
    return end - clock()


def test_a_session_has_saved_before_it_ends_the_reading(small_data, tmp_path, clock, monkeypatch):
    opened, save = TrainingData.open, Checkpoints.save
    alive = []

    class Reading:
        """The batches of an epoch, whose end is seen."""

        def __init__(self, batches):
            self.batches = batches

    def noted(*arguments):
        reading = Reading(opened(*arguments))
        alive.append(weakref.ref(reading))
        return reading

    steps = TrainStep.__call__
    monkeypatch.setattr(TrainingData, "open", noted)
    monkeypatch.setattr(
        TrainStep, "__call__", lambda self, reading, n: steps(self, reading.batches, n)
    )
    saved = []
    monkeypatch.setattr(
        Checkpoints, "save", lambda *a: saved.append(alive[-1]() is not None) or save(*a)
    )
    session(run_config(small_data, "LogisticModel", epochs=3), tmp_path, clock, 0.75)
    assert saved[-1]


def test_sessions_of_any_length_make_one_run(small_data, tmp_path, undisturbed, clock, capsys):
    config = run_config(small_data, "LogisticModel", epochs=3)
    left = [session(config, tmp_path, clock, minutes) for minutes in (0.75, 1.0)]
    assert all(10 <= seconds < 30 for seconds in left), left
    stopped = [e["step"] for e in events(tmp_path, "stopped")]
    assert 1 < stopped[0] < stopped[1] < 36
    assert metrics_of(tmp_path, "last")["step"] == stopped[1]
    assert f"stopped by --max_minutes at step {stopped[1]}; the same command" in (
        capsys.readouterr().out
    )
    train(config, str(tmp_path))  # without a limit
    assert [e["step"] for e in events(tmp_path, "resumed")] == stopped
    np.testing.assert_array_equal(losses_of(tmp_path), losses_of(undisturbed))
    assert "settings changed" not in capsys.readouterr().out


def test_a_session_that_ends_in_a_validation_validates_when_resumed(
    small_data, tmp_path, undisturbed, clock, monkeypatch
):
    config = run_config(small_data, "LogisticModel", epochs=3, eval_batch_size=16)  # 10 batches
    clock.takes(monkeypatch, Predictor, "__call__", 3.0)
    left = session(config, tmp_path, clock, 1.3)
    assert 10 <= left < 30
    assert [e["step"] for e in events(tmp_path, "stopped")] == [12]
    assert not losses_of(tmp_path)
    train(config, str(tmp_path))
    np.testing.assert_allclose(losses_of(tmp_path), losses_of(undisturbed), rtol=1e-5)


def test_a_session_that_ends_makes_no_more_copies(small_data, tmp_path, clock):
    config = run_config(small_data, "LogisticModel", cache_dir=str(tmp_path / "cache"))
    trainer = Trainer(in_session(config, clock, 0.75), begun(config, tmp_path / "run"))
    near = trainer.stop.received.deadline.is_near
    assert not near()
    with pytest.raises(Stopped):
        trainer.train()
    assert near()
    clock.now = 0.0  # were it not for the end of the training, there would be time again
    assert not near()
    path = tmp_path / "another"
    path.write_bytes(b"content")
    assert trainer.cache.local(str(path), listing.status(str(path))) == str(path)


def test_a_run_that_is_done_stays_so_in_another_session(finished_run, small_data, capsys):
    before = (finished_run / "metrics.jsonl").read_text()
    config = run_config(small_data, "LogisticModel", epochs=1)
    train(in_session(config, Clock(), 1), str(finished_run))
    assert "already done" in capsys.readouterr().out
    assert (finished_run / "metrics.jsonl").read_text() == before


def test_every_checkpoint_leaves_a_model_that_says_how_far_it_is(small_data, tmp_path, clock):
    config = run_config(small_data, "LogisticModel", epochs=3)
    session(config, tmp_path, clock, 0.5)  # in the first epoch
    step = metrics_of(tmp_path, "last")["step"]
    assert 0 < step < 12
    said = []
    trained = TrainedModel(str(tmp_path))
    pattern = small_data.pattern("validate", "video")
    trained.records(pattern, "--x", 0, None, None, said.append)
    assert f"last/model.weights.h5 (step {step} of 36, not validated)" in said[1]
