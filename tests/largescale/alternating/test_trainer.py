"""Whole alternations on synthetic data: steps, logs, models and numbers of partitions."""

import dataclasses
import functools
import json
import os
import shutil

import numpy as np
import pytest

from tests.support.alternations import Killed, config_of, continued, dies_at, scores_of, steps_of
from tests.support.runs import begun, events, stop_at, with_training
from yt8m.data.files.shards import find_shards
from yt8m.data.pipeline import build_dataset
from yt8m.errors import UserError
from yt8m.evaluation.evaluate_run import evaluate_run
from yt8m.largescale.alternating import classifier_step, joint_step, step3_updates, trainer
from yt8m.largescale.alternating.step_model import copy_model, metrics_of
from yt8m.largescale.executors.in_process import InProcessExecutor
from yt8m.runs.bundle import open_bundle, write_bundle
from yt8m.runs.config import ModelConfig
from yt8m.runs.folder import RunFolder
from yt8m.runs.trained_model import TrainedModel
from yt8m.training.trainer import Trainer


def test_a_full_run_takes_its_steps_and_logs_each_iteration(full):
    log = steps_of(full)
    iterations = {"step1": (1, 2), "cycle1_step2": (1, 2), "cycle1_step3": (0, 1, 2)}
    assert [(name, i) for name, i, _ in log] == [
        (n, i) for n, each in iterations.items() for i in each
    ]
    assert [e["name"] for e in events(full, "step_end")] == list(iterations)
    assert all({"gap", "map", "elapsed", "time"} <= set(e) for e in events(full, "iteration"))
    best = json.loads((full / "best" / "metrics.json").read_text())
    assert best["gap"] == pytest.approx(max(gap for _, _, gap in log), abs=1e-6)
    state = json.loads((full / "alternation" / "state.json").read_text())
    assert state["best"]["after"] == best["after"]
    steps = [{"number": 1, "cycle": 0}, {"number": 2, "cycle": 1}, {"number": 3, "cycle": 1}]
    assert [{"number": d["number"], "cycle": d["cycle"]} for d in state["done"]] == steps
    assert not (full / "alternation" / "cycle1_step2" / "features").exists()


@pytest.mark.parametrize("change", [{"num_epochs": 3}, {"max_steps": 7}])
def test_a_joint_training_that_has_ended_is_not_extended(change, full, small_data):
    config, before = config_of(small_data), (full / "config.json").read_text()
    if "num_epochs" in change:
        config = dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, **change))
    else:
        config = with_training(config, **change)
    flag, value = next(iter(change.items()))
    with pytest.raises(UserError, match=rf"--{flag}={value}: step 1, .* has ended with {flag}="):
        trainer.train(config, str(full))
    assert (full / "config.json").read_text() == before


def test_a_joint_training_that_has_not_ended_is_extended(small_data, tmp_path):
    config = config_of(small_data, alternation="baseline")
    joint = joint_step.joint_config(config)
    begun(config, tmp_path)
    stop_at(Trainer(joint, begun(joint, tmp_path / "step1")), 7)
    longer = dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, num_epochs=3))
    trainer.train(longer, str(tmp_path))
    assert [iteration for _, iteration, _ in steps_of(tmp_path)] == [1, 2, 3]
    for folder in (tmp_path, tmp_path / "step1"):  # so that the same command says no difference
        assert RunFolder(str(folder)).load_config().recipe.num_epochs == 3
    trainer.train(longer, str(tmp_path))


def test_step_2_gives_each_class_the_experts_that_its_videos_allow(full, small_data, tmp_path):
    config = config_of(small_data, expert_divisor=20.0, alternation="large_moe", step2_max_epochs=1)
    continued(full, tmp_path, config)
    own = json.loads((tmp_path / "last" / "model.json").read_text())
    files = find_shards(config.training.train_data_pattern)
    batches = build_dataset(files, config.schema, batch_size=100)
    counts = sum(b["labels"].numpy().sum(0).astype(int) for b in batches)
    assert len(own["groups"]) > 1
    for group in own["groups"]:
        experts = {max(1, min(6, counts[c] // 20)) for c in group["classes"]}
        assert experts == {group["num_mixtures"]}


def test_the_finished_run_is_an_ordinary_one(full, full_scores, small_data, tmp_path):
    trainer.train(config_of(small_data), str(full))  # it is done, so nothing happens
    kept = json.loads((full / "best" / "metrics.json").read_text())
    trained = TrainedModel(str(full))
    result = evaluate_run(
        trained, small_data.pattern("validate", "video"), str(tmp_path / "eval"), say=lambda _: None
    )
    assert result["gap"] == pytest.approx(kept["gap"], abs=1e-6)
    write_bundle(str(full), str(tmp_path / "m.tgz"))
    unpacked = open_bundle(str(tmp_path / "m.tgz"), str(tmp_path / "unpacked"))
    np.testing.assert_allclose(scores_of(unpacked, small_data), full_scores[0], atol=1e-6)


def test_step_1_of_an_earlier_run_is_taken_if_the_model_is_the_same(full, small_data, tmp_path):
    continued(full, tmp_path / "again", config_of(small_data, alternation="baseline"))
    assert steps_of(tmp_path / "again") == steps_of(full)[:2]
    np.testing.assert_array_equal(
        (tmp_path / "again" / "priors.npy").read_bytes(), (full / "priors.npy").read_bytes()
    )
    other = dataclasses.replace(
        config_of(small_data, alternation="baseline"),
        model=ModelConfig("VideoDbofBasic", {"width": 17}),
    )
    with pytest.raises(UserError, match=r"--step1_from=.* 'width': 16"):
        continued(full, tmp_path / "other", other)


@pytest.mark.parametrize(("partitions", "by"), [(1, "contiguous"), (500, "round_robin")])
def test_the_number_of_partitions_does_not_change_the_model(
    full, full_scores, small_data, tmp_path, partitions, by
):
    config = config_of(
        small_data, alternation="large_moe", num_partitions=partitions, partition_by=by
    )
    continued(full, tmp_path, config)
    scores = scores_of(tmp_path, small_data, "last")
    np.testing.assert_allclose(scores, full_scores[1], atol=1e-5)


@pytest.fixture(scope="module")
def step_3_by(full, small_data, tmp_path_factory):
    """Return a function that gives (settings, run) of step 3 by an optimiser, made once."""

    @functools.cache
    def run_by(optimizer):
        config = config_of(
            small_data, alternation="rprop", step3_optimizer=optimizer, step3_learning_rate=0.02
        )
        return config, continued(full, tmp_path_factory.mktemp(optimizer), config)

    return run_by


def train_losses(folder):
    return [e["train_loss"] for e in events(folder, "iteration") if "train_loss" in e]


@pytest.mark.parametrize("optimizer", ["adam", "gd"])
def test_other_optimisers_of_step_3_move_the_aggregator_and_resume(
    full, step_3_by, tmp_path, optimizer, monkeypatch
):
    config, whole = step_3_by(optimizer)
    first, second = train_losses(whole)
    assert second < first
    updates = {"adam": step3_updates.AdamPasses, "gd": step3_updates.FullBatchUpdates}
    with monkeypatch.context() as patch:
        dies_at(patch, updates[optimizer], "update", 2)
        with pytest.raises(Killed):
            continued(full, tmp_path / "killed", config)
    continued(full, tmp_path / "killed", config)
    newest = {(name, i): gap for name, i, gap in steps_of(tmp_path / "killed")}
    assert newest == pytest.approx({(name, i): gap for name, i, gap in steps_of(whole)}, abs=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "irprop"])
def test_two_replicas_move_the_aggregator_as_one_does(
    full, step_3_by, tmp_path, optimizer, mirrored
):
    config, one = step_3_by(optimizer)
    two = continued(full, tmp_path / "two", config, mirrored)
    gaps = [[gap for _, _, gap in steps_of(run)] for run in (one, two)]
    assert gaps[1] == pytest.approx(gaps[0], abs=1e-4)
    assert len(train_losses(one)) == 2
    assert train_losses(two) == pytest.approx(train_losses(one), rel=1e-5)


def test_adam_refuses_a_batch_larger_than_the_data(full, small_data, tmp_path):
    config = config_of(small_data, alternation="rprop", step3_optimizer="adam")
    config = dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, batch_size=601))
    with pytest.raises(UserError, match="--batch_size=601 is larger than the number of training"):
        continued(full, tmp_path, config)


def test_each_cycle_draws_its_own_part_of_the_data(full, small_data, tmp_path, monkeypatch):
    def hands_on(context, step, source):
        about = metrics_of(context.run, source)
        copy_model(context.run, source, step.best, about)
        return 0.0

    monkeypatch.setattr(classifier_step, "run", hands_on)
    config = config_of(small_data, batch_fraction=0.3, max_cycles=2, min_cycle_gain=0.0)
    continued(full, tmp_path, config)
    drawn = {}
    for e in events(tmp_path, "iteration"):
        if "train_examples" in e:
            drawn.setdefault(e["cycle"], []).append(e["train_examples"])
    assert set(drawn) == {1, 2}
    assert drawn[1] != drawn[2]


def test_a_joint_training_that_has_not_ended_is_used_and_reported(
    full, small_data, tmp_path, capsys
):
    shutil.copytree(full, tmp_path / "ended", ignore=shutil.ignore_patterns("done"))
    continued(tmp_path / "ended", tmp_path / "run", config_of(small_data, alternation="baseline"))
    said = "its joint training has not ended; the best model so far is used"
    assert said in capsys.readouterr().out


def test_what_workers_are_given_means_the_same_in_another_folder(
    full, small_data, tmp_path, monkeypatch
):
    """A worker has a working directory of its own, and the default --train_dir is relative."""
    (tmp_path / "elsewhere").mkdir()

    class Elsewhere(InProcessExecutor):
        local = False

        def map(self, fn, tasks, shared):
            here = os.getcwd()
            for i, task in enumerate(tasks):
                os.chdir(tmp_path / "elsewhere")
                try:
                    value = fn(task, shared)
                finally:
                    os.chdir(here)
                yield i, value

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trainer, "make_executor", lambda *_, **__: Elsewhere())
    config = config_of(small_data, step2_max_epochs=1, step3_max_iterations=1)
    relative = {
        k: os.path.relpath(getattr(config.training, k))
        for k in ("train_data_pattern", "eval_data_pattern")
    }
    config = with_training(config, **relative)
    continued(os.path.relpath(full), "run", config)
    assert (tmp_path / "run" / "done").exists()
    assert sorted(os.listdir(tmp_path)) == ["elsewhere", "run"]
    assert not os.listdir(tmp_path / "elsewhere")
