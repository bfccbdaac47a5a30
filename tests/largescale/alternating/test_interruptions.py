"""Alternations that are killed or stopped end like one that nothing interrupted."""

import os
import shutil

import numpy as np
import pytest

from tests.support.alternations import Killed, config_of, dies_at, scores_of, steps_of
from yt8m.largescale.alternating import aggregator_step, classifier_step, step3_updates, trainer
from yt8m.largescale.features import plan
from yt8m.largescale.mixtures import partition_map
from yt8m.runs.stop_signal import Stopped


def test_a_run_killed_between_any_two_stages_ends_like_an_undisturbed_one(
    full, full_scores, small_data, tmp_path, monkeypatch
):
    config = config_of(small_data)
    deaths = [
        (trainer, "metrics_of", 1),  # step 1 is trained, and not recorded yet
        (plan.FeaturePlan, "compute_shard", 2),  # one shard has its features
        (partition_map, "train_partition", 5),  # in the second epoch, one partition is done
        (classifier_step, "save_model", 1),  # the second epoch is validated
        (trainer.FinishedSteps, "add", 1),  # step 2 has handed on its model
        (step3_updates.FullBatchUpdates, "update", 2),  # the second gradient
        (aggregator_step, "save_model", 1),
        (trainer, "copy_model", 2),  # best/ is written, last/ is not
    ]
    for owner, name, call in deaths:
        with monkeypatch.context() as patch:
            dies_at(patch, owner, name, call)
            with pytest.raises(Killed, match=name):
                trainer.train(config, str(tmp_path))
        assert not (tmp_path / "done").exists()
    trainer.train(config, str(tmp_path))
    newest = {(name, i): gap for name, i, gap in steps_of(tmp_path)}
    expected = {(name, i): gap for name, i, gap in steps_of(full)}
    assert newest == pytest.approx(expected, abs=1e-4)
    np.testing.assert_allclose(scores_of(tmp_path, small_data), full_scores[0], atol=1e-4)


def test_a_signal_ends_a_step_where_it_can_be_resumed(full, small_data, tmp_path, monkeypatch):
    config = config_of(small_data, alternation="rprop")
    original = step3_updates.FullBatchUpdates.update

    def signalled(self, iteration):
        os.kill(os.getpid(), 15)
        return original(self, iteration)

    with monkeypatch.context() as patch:
        patch.setattr(step3_updates.FullBatchUpdates, "update", signalled)
        shutil.copytree(full / "step1", tmp_path / "step1")
        with pytest.raises(Stopped, match="signal 15"):
            trainer.train(config, str(tmp_path))
    assert [i for name, i, _ in steps_of(tmp_path) if name == "cycle1_step3"] == [0, 1]
    trainer.train(config, str(tmp_path))
    assert [i for name, i, _ in steps_of(tmp_path) if name == "cycle1_step3"] == [0, 1, 2]
