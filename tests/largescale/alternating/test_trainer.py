"""Whole alternations on synthetic data: the steps, their log and models; killed at every arrow; any number of partitions."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests.support.runs import events, run_on
from yt8m.data.files.shards import find_shards
from yt8m.data.pipeline import build_dataset
from yt8m.errors import UserError
from yt8m.evaluation.watch import evaluate_run
from yt8m.largescale.alternating import aggregator_step, classifier_step, step3_updates, trainer
from yt8m.largescale.alternating.context import Outcome
from yt8m.largescale.alternating.step_model import copy_model, metrics_of
from yt8m.largescale.executors.in_process import InProcessExecutor
from yt8m.largescale.features import store
from yt8m.largescale.mixtures import partition_map
from yt8m.runs.alternation_config import AlternationConfig
from yt8m.runs.bundle import open_bundle, write_bundle
from yt8m.runs.config import ModelConfig
from yt8m.runs.folder import RunFolder
from yt8m.runs.trained_model import TrainedModel

SETTINGS = AlternationConfig(
    max_experts=6,
    num_partitions=3,
    step2_learning_rate=0.02,
    step2_batch_size=100,
    step2_max_epochs=2,
    step3_initial_delta=1e-3,
    step3_max_iterations=2,
    max_cycles=1,
)


def config_of(data, name="VideoDbofBasic", training=(), **settings):
    return run_on(
        data,
        name,
        recipe={"num_epochs": 2, "base_learning_rate": 0.02, "weight_average": 0.0},
        arguments={"width": 16, "num_mixtures": 2},
        alternation=dataclasses.replace(SETTINGS, **settings),
        trainer="alternating",
        **dict(training),
    )


def steps_of(folder):
    return [(e["name"], e["iteration"], e["gap"]) for e in events(folder, "iteration")]


def scores_of(folder, data, which="best"):
    """Predictions of a run's model for the validation set."""
    tf.keras.backend.clear_session()
    trained = TrainedModel(str(folder), which)
    files = find_shards(data.pattern("validate", trained.config.schema.level))
    dataset = build_dataset(files, trained.config.schema, batch_size=64)
    return np.concatenate([p for _, p in trained.predictor(64).over(dataset)])


def continued(source, target, config, strategy=None):
    """Run an alternation that begins with the finished step 1 of another."""
    settings = dataclasses.replace(config.alternation, step1_from=str(source))
    assert (
        trainer.train(
            dataclasses.replace(config, alternation=settings), str(target), strategy=strategy
        )
        == 0
    )
    return target


@pytest.fixture(scope="module")
def full(small_data, tmp_path_factory):
    """A run of steps 1, 2 and 3 that nobody disturbed."""
    folder = tmp_path_factory.mktemp("full")
    assert trainer.train(config_of(small_data), str(folder)) == 0
    return folder


def test_a_full_run_takes_its_steps_and_logs_each_iteration(full):
    log = steps_of(full)
    assert [(name, i) for name, i, _ in log] == [
        ("step1", 1), ("step1", 2), ("cycle1_step2", 1), ("cycle1_step2", 2), ("cycle1_step3", 0), ("cycle1_step3", 1), ("cycle1_step3", 2),
    ]  # fmt: skip
    events = list(RunFolder(str(full)).logged())
    assert [e["name"] for e in events if e["event"] == "step_end"] == [
        "step1",
        "cycle1_step2",
        "cycle1_step3",
    ]
    assert all(
        {"gap", "map", "elapsed", "time"} <= set(e) for e in events if e["event"] == "iteration"
    )
    best = json.loads((full / "best" / "metrics.json").read_text())
    assert best["gap"] == pytest.approx(max(gap for _, _, gap in log), abs=1e-6)
    assert (
        json.loads((full / "alternation" / "state.json").read_text())["best"]["after"]
        == best["after"]
    )
    assert not (full / "alternation" / "cycle1_step2" / "features").exists()


def test_step_2_gives_each_class_the_experts_that_its_videos_allow(full, small_data, tmp_path):
    config = config_of(small_data, expert_divisor=20.0, alternation="large_moe", step2_max_epochs=1)
    continued(full, tmp_path, config)
    own = json.loads((tmp_path / "last" / "model.json").read_text())
    counts = sum(
        b["labels"].numpy().sum(0).astype(int)
        for b in build_dataset(
            find_shards(config.training.train_data_pattern), config.schema, batch_size=100
        )
    )
    assert len(own["groups"]) > 1
    for group in own["groups"]:
        assert all(
            max(1, min(6, counts[c] // 20)) == group["num_mixtures"] for c in group["classes"]
        )


def test_the_finished_run_is_an_ordinary_one(full, small_data, tmp_path):
    assert trainer.train(config_of(small_data), str(full)) == 0  # done, and left alone
    kept = json.loads((full / "best" / "metrics.json").read_text())
    trained = TrainedModel(str(full))
    result = evaluate_run(
        trained, small_data.pattern("validate", "video"), str(tmp_path / "eval"), say=lambda _: None
    )
    assert result["gap"] == pytest.approx(kept["gap"], abs=1e-6)
    write_bundle(str(full), str(tmp_path / "m.tgz"))
    unpacked = open_bundle(str(tmp_path / "m.tgz"), str(tmp_path / "unpacked"))
    np.testing.assert_allclose(
        scores_of(unpacked, small_data), scores_of(full, small_data), atol=1e-6
    )


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
    with pytest.raises(UserError, match="--step1_from=.* 'width': 16"):
        continued(full, tmp_path / "other", other)


@pytest.mark.parametrize(
    ("partitions", "by"), [(1, "contiguous"), (8, "alike"), (500, "round_robin")]
)
def test_the_number_of_partitions_does_not_change_the_model(
    full, small_data, tmp_path, partitions, by
):
    config = config_of(
        small_data, alternation="large_moe", num_partitions=partitions, partition_by=by
    )
    continued(full, tmp_path, config)
    shutil.copytree(full, tmp_path / "other", ignore=shutil.ignore_patterns("best"))
    shutil.copytree(full / "alternation" / "cycle1_step2" / "best", tmp_path / "other" / "best")
    np.testing.assert_allclose(
        scores_of(tmp_path, small_data, "last"),
        scores_of(tmp_path / "other", small_data),
        atol=1e-5,
    )


class Killed(BaseException):
    """The process is gone: nothing that handles errors may handle it."""


def dies_at(monkeypatch, owner, name, call):
    """Let the `call`-th call of a function end the process, once."""
    original, calls = getattr(owner, name), [0]

    def dying(*arguments, **more):
        calls[0] += 1
        if calls[0] == call:
            raise Killed(name)
        return original(*arguments, **more)

    monkeypatch.setattr(owner, name, dying)


def test_killed_at_every_arrow_it_ends_like_the_run_that_was_not(
    full, small_data, tmp_path, monkeypatch
):
    config = config_of(small_data)
    deaths = [
        (trainer.joint_step, "metrics_of", 1),  # step 1 is trained, and not yet put down
        (store, "write_shard", 2),  # one shard has its features
        (partition_map, "train_partition", 5),  # in the second epoch, one partition is done
        (classifier_step, "save_model", 1),  # the second epoch is validated
        (trainer.State, "add", 1),  # step 2 has handed on its model
        (step3_updates.FullBatch, "move", 2),  # the second gradient
        (aggregator_step, "save_model", 1),
        (trainer, "copy_model", 2),  # best/ is written, last/ is not
    ]
    for owner, name, call in deaths:
        with monkeypatch.context() as patch, pytest.raises(Killed, match=name):
            dies_at(patch, owner, name, call)
            trainer.train(config, str(tmp_path))
        assert not (tmp_path / "done").exists()
    assert trainer.train(config, str(tmp_path)) == 0
    newest = {(name, i): gap for name, i, gap in steps_of(tmp_path)}
    expected = {(name, i): gap for name, i, gap in steps_of(full)}
    assert newest == pytest.approx(expected, abs=1e-4)
    np.testing.assert_allclose(
        scores_of(tmp_path, small_data), scores_of(full, small_data), atol=1e-4
    )


@pytest.mark.parametrize("optimizer", ["adam", "gd"])
def test_other_optimisers_of_step_3_move_the_aggregator_and_resume(
    full, small_data, tmp_path, optimizer, monkeypatch
):
    config = config_of(
        small_data, alternation="rprop", step3_optimizer=optimizer, step3_learning_rate=0.02
    )
    whole = continued(full, tmp_path / "whole", config)
    log = [
        e
        for e in RunFolder(str(whole)).logged()
        if e["event"] == "iteration" and e["number"] == 3 and e["iteration"]
    ]
    assert len(log) == 2
    assert log[1]["train_loss"] < log[0]["train_loss"]
    mover = step3_updates.AdamPasses if optimizer == "adam" else step3_updates.FullBatch
    with monkeypatch.context() as patch, pytest.raises(Killed):
        dies_at(patch, mover, "move", 2)
        continued(full, tmp_path / "killed", config)
    continued(full, tmp_path / "killed", config)
    newest = {(name, i): gap for name, i, gap in steps_of(tmp_path / "killed")}
    assert newest == pytest.approx({(name, i): gap for name, i, gap in steps_of(whole)}, abs=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "irprop"])
def test_two_replicas_move_the_aggregator_as_one_does(
    full, small_data, tmp_path, optimizer, mirrored
):
    config = config_of(
        small_data, alternation="rprop", step3_optimizer=optimizer, step3_learning_rate=0.02
    )
    one = continued(full, tmp_path / "one", config)
    two = continued(full, tmp_path / "two", config, mirrored)
    assert [gap for _, _, gap in steps_of(two)] == pytest.approx(
        [gap for _, _, gap in steps_of(one)], abs=1e-4
    )
    losses = [
        [e["train_loss"] for e in RunFolder(str(run)).logged() if "train_loss" in e]
        for run in (one, two)
    ]
    assert len(losses[0]) == 2
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_adam_refuses_a_batch_larger_than_the_data(full, small_data, tmp_path):
    config = config_of(small_data, alternation="rprop", step3_optimizer="adam")
    config = dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, batch_size=601))
    with pytest.raises(UserError, match="--batch_size=601 is more than the training records"):
        continued(full, tmp_path, config)


def test_each_cycle_draws_its_own_part_of_the_data(full, small_data, tmp_path, monkeypatch):
    def hands_on(context, step, source):
        about = metrics_of(context.run, source)
        copy_model(context.run, source, f"alternation/{step.name}/best", about)
        return Outcome(f"alternation/{step.name}/best", about, 0.0)

    monkeypatch.setattr(classifier_step, "run", hands_on)
    config = config_of(small_data, batch_fraction=0.3, max_cycles=2, min_cycle_gain=-1.0)
    continued(full, tmp_path, config)
    drawn = {}
    for e in RunFolder(str(tmp_path)).logged():
        if "train_examples" in e:
            drawn.setdefault(e["cycle"], []).append(e["train_examples"])
    assert set(drawn) == {1, 2}
    assert drawn[1] != drawn[2]


def test_a_joint_training_that_has_not_ended_is_taken_and_said(full, small_data, tmp_path, capsys):
    shutil.copytree(full, tmp_path / "ended", ignore=shutil.ignore_patterns("done"))
    continued(tmp_path / "ended", tmp_path / "run", config_of(small_data, alternation="baseline"))
    assert (
        "its joint training has not ended; the best model so far is taken"
        in capsys.readouterr().out
    )


def test_what_workers_are_given_means_the_same_in_another_folder(
    full, small_data, tmp_path, monkeypatch
):
    """A worker of a cluster has a working folder of its own: the default --train_dir is relative."""

    class Elsewhere(InProcessExecutor):
        def map(self, fn, tasks, shared):
            here = os.getcwd()
            for i, task in enumerate(tasks):
                os.chdir("/")
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
    config = dataclasses.replace(config, training=dataclasses.replace(config.training, **relative))
    continued(os.path.relpath(full), "run", config)
    assert (tmp_path / "run" / "done").exists()


def test_a_signal_ends_a_step_where_it_can_be_resumed(full, small_data, tmp_path, monkeypatch):
    config = config_of(small_data, alternation="rprop")
    original = step3_updates.FullBatch.move

    def signalled(self, iteration):
        os.kill(os.getpid(), 15)
        return original(self, iteration)

    with monkeypatch.context() as patch:
        patch.setattr(step3_updates.FullBatch, "move", signalled)
        shutil.copytree(full / "step1", tmp_path / "step1")
        assert trainer.train(config, str(tmp_path)) == 143
    assert [i for name, i, _ in steps_of(tmp_path) if name == "cycle1_step3"] == [0, 1]
    assert trainer.train(config, str(tmp_path)) == 0
    assert [i for name, i, _ in steps_of(tmp_path) if name == "cycle1_step3"] == [0, 1, 2]


@pytest.mark.parametrize(
    "name",
    [
        "DbofBasic",
        pytest.param("DbofCgate", marks=pytest.mark.slow),
        pytest.param("DbofResNet", marks=pytest.mark.slow),
    ],
)
def test_frame_models_alternate(name, small_data, tmp_path):
    assert (
        trainer.train(
            config_of(small_data, name, batch_fraction=0.5, step2_max_epochs=4), str(tmp_path)
        )
        == 0
    )
    gaps = dict(((n, i), gap) for n, i, gap in steps_of(tmp_path))
    assert gaps[("cycle1_step2", 4)] > 0.25
    assert gaps[("cycle1_step3", 2)] > 0.25
    best = json.loads((tmp_path / "best" / "metrics.json").read_text())
    result = evaluate_run(
        TrainedModel(str(tmp_path)),
        small_data.pattern("validate", "frame"),
        str(tmp_path / "eval"),
        say=lambda _: None,
    )
    assert result["gap"] == pytest.approx(best["gap"], abs=1e-5)


def test_with_a_frame_network_given_only_what_follows_it_is_trained(small_data, tmp_path):
    first = config_of(small_data, "DbofCgate", {"max_steps": 2}, alternation="baseline")
    assert trainer.train(first, str(tmp_path / "first")) == 0
    config = config_of(
        small_data,
        "DbofCgate",
        alternation="large_moe",
        frame_network=str(tmp_path / "first"),
        step2_max_epochs=1,
    )
    config = dataclasses.replace(
        config, model=ModelConfig("DbofCgate", {"width": 16, "num_mixtures": 3})
    )
    assert trainer.train(config, str(tmp_path / "second")) == 0
    old, new = (
        TrainedModel(str(tmp_path / "first")).model,
        TrainedModel(str(tmp_path / "second"), "last").model,
    )
    np.testing.assert_array_equal(new.frame_fc.get_weights()[0], old.frame_fc.get_weights()[0])
    assert np.any(new.video_fc.get_weights()[0] != old.video_fc.get_weights()[0])
    of_video_run = json.loads(
        (tmp_path / "second" / "alternation" / "video_level" / "best" / "metrics.json").read_text()
    )
    whole = json.loads((tmp_path / "second" / "best" / "metrics.json").read_text())
    assert whole["gap"] == pytest.approx(of_video_run["gap"], abs=1e-5)
    assert whole["after"] == of_video_run["after"]
    assert [name for name, _, _ in steps_of(tmp_path / "second")] == [
        "step1",
        "step1",
        "cycle1_step2",
    ]
    pooled = sorted((tmp_path / "second" / "alternation" / "pooled" / "train").glob("*.tfrecord"))
    assert len(pooled) == 3
    assert trainer.train(config, str(tmp_path / "second")) == 0  # done


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "LogisticModel"}, "--model=LogisticModel does not; these do: DbofBasic"),
        ({"training": {"eval_data_pattern": ""}}, "needs --eval_data_pattern"),
        ({"training": {"patience": 2}}, "--patience and --min_gain are of --trainer=joint"),
        ({"settings": {"batch_fraction": 0.0}}, "--batch_fraction=0 is not above 0 and at most 1"),
        (
            {"settings": {"step3_initial_delta": 20.0}},
            "--step3_initial_delta=20 is not above 0 and at most 10",
        ),
        ({"settings": {"task_minutes": 0.0}}, "--task_minutes=0 is not above 0"),
        (
            {"settings": {"step3_optimizer": "adam", "batch_fraction": 0.5}},
            "--batch_fraction=0.5: a pass of --step3_optimizer=adam",
        ),
        (
            {"recipe": {"label_loss": "SoftmaxLoss"}},
            "--label_loss=SoftmaxLoss is not a sum over classes",
        ),
        ({"settings": {"frame_network": "x"}}, "--frame_network is for DbofBasic"),
    ],
)
def test_what_cannot_be_alternated_is_refused(change, said, small_data, tmp_path):
    config = config_of(small_data)
    config = dataclasses.replace(
        config,
        model=ModelConfig(change.get("name", config.model.name), {}),
        training=dataclasses.replace(config.training, **change.get("training", {})),
        recipe=dataclasses.replace(config.recipe, **change.get("recipe", {})),
        alternation=dataclasses.replace(config.alternation, **change.get("settings", {})),
    )
    with pytest.raises(UserError, match=said.replace("(", r"\(")):
        trainer.train(config, str(tmp_path))
    assert not (tmp_path / "config.json").exists()


def test_workers_are_refused_before_an_earlier_run_is_deleted(small_data, tmp_path):
    class Workers(tf.distribute.MultiWorkerMirroredStrategy):
        """Of its kind, without a cluster."""

        def __init__(self):
            pass

    config = config_of(small_data)
    (tmp_path / "config.json").write_text(config.to_json())
    with pytest.raises(UserError, match="not by --strategy=multi_worker"):
        trainer.train(config, str(tmp_path), start_new_model=True, strategy=Workers())
    assert (tmp_path / "config.json").exists()


def test_a_refused_attempt_does_not_stand_in_the_way_of_the_next(small_data, tmp_path):
    config = config_of(small_data, alternation="baseline")
    with pytest.raises(UserError, match="--batch_size=5000"):
        trainer.train(
            dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, batch_size=5000)),
            str(tmp_path),
        )
    assert trainer.train(config, str(tmp_path)) == 0


def test_other_settings_of_the_alternation_are_refused(full, small_data):
    with pytest.raises(UserError, match="alternation.max_experts: the run has 6, the flags say 7"):
        trainer.train(config_of(small_data, max_experts=7), str(full))
