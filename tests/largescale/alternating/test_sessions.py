"""Alternations that --max_minutes divides into sessions end like one that nothing interrupted."""

import contextlib

import numpy as np
import pytest

from tests.support.alternations import config_of, scores_of, steps_of
from tests.support.clock import Clock, in_session
from tests.support.runs import events
from yt8m.largescale.alternating import trainer
from yt8m.largescale.gradient import full_batch
from yt8m.largescale.mixtures.partition_training import Partition
from yt8m.runs.stop_signal import Stopped
from yt8m.runs.trained_model import TrainedModel
from yt8m.training.step import TrainStep


def test_sessions_end_in_each_step_and_the_run_like_an_undisturbed_one(
    full, full_scores, small_data, tmp_path, monkeypatch, capsys
):
    clock, config = Clock(), config_of(small_data)
    clock.takes(monkeypatch, TrainStep, "__call__", 2.0)
    clock.takes(monkeypatch, Partition, "train", 2.0)
    clock.takes(monkeypatch, full_batch, "shard_gradient", 20.0)
    left, described = [], []
    while not (tmp_path / "done").exists():
        minutes = 1.0 if left else 0.6  # The first session ends in the first epoch.
        session, end = in_session(config, clock, minutes), clock() + 60 * minutes
        with contextlib.suppress(Stopped):
            trainer.train(session, str(tmp_path))
        if not (tmp_path / "done").exists():
            left.append(end - clock())
            # Every session leaves a model: at first the last one of step 1.
            described.append(TrainedModel(str(tmp_path)).path.removeprefix(str(tmp_path)))
        assert len(left) < 20
    assert all(0 < seconds < 50 for seconds in left), left
    names = {event["step"] for event in events(tmp_path, "stopped")}
    assert names == {"step1", "cycle1_step2", "cycle1_step3"}
    assert described[0] == "/step1/last/model.weights.h5"
    assert described[-1] == "/best/model.weights.h5"
    newest = {(name, i): gap for name, i, gap in steps_of(tmp_path)}
    expected = {(name, i): gap for name, i, gap in steps_of(full)}
    assert newest == pytest.approx(expected, abs=1e-4)
    np.testing.assert_allclose(scores_of(tmp_path, small_data), full_scores[0], atol=1e-4)
    assert "stopped by --max_minutes in cycle1_step3" in capsys.readouterr().out
