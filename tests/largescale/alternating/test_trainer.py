"""Whole alternations on synthetic data: steps, logs, models, kills and numbers of partitions."""

import dataclasses
import functools
import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests.support.runs import events, run_on, with_training
from yt8m.data.files.shards import find_shards
from yt8m.data.pipeline import build_dataset
from yt8m.errors import UserError
from yt8m.evaluation.evaluate_run import evaluate_run
from yt8m.largescale.alternating import aggregator_step, classifier_step, step3_updates, trainer
from yt8m.largescale.alternating.step_model import copy_model, metrics_of
from yt8m.largescale.executors.in_process import InProcessExecutor
from yt8m.largescale.features import plan
from yt8m.largescale.mixtures import partition_map
from yt8m.runs.bundle import open_bundle, write_bundle
from yt8m.runs.config import ModelConfig
from yt8m.runs.settings.alternation import AlternationConfig
from yt8m.runs.stop_signal import Stopped
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
    config = dataclasses.replace(config, alternation=settings)
    trainer.train(config, str(target), strategy=strategy)
    return target


@pytest.fixture(scope="module")
def full(small_data, tmp_path_factory):
    """A run of steps 1, 2 and 3 that nothing interrupted."""
    folder = tmp_path_factory.mktemp("full")
    trainer.train(config_of(small_data), str(folder))
    return folder


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


@pytest.fixture(scope="module")
def full_scores(full, small_data, tmp_path_factory):
    """The predictions of the full run's best model, and of the model of its step 2."""
    folder = tmp_path_factory.mktemp("step2") / "run"
    shutil.copytree(full, folder, ignore=shutil.ignore_patterns("best"))
    shutil.copytree(full / "alternation" / "cycle1_step2" / "best", folder / "best")
    return scores_of(full, small_data), scores_of(folder, small_data)


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


class Killed(BaseException):
    """The end of the process: nothing that handles errors may handle it."""


def dies_at(monkeypatch, owner, name, call):
    """Let the `call`-th call of a function end the process."""
    original, calls = getattr(owner, name), [0]

    def dying(*arguments, **more):
        calls[0] += 1
        if calls[0] == call:
            raise Killed(name)
        return original(*arguments, **more)

    monkeypatch.setattr(owner, name, dying)


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
    with pytest.raises(UserError, match="--batch_size=601 is more than the training records"):
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


@pytest.fixture(scope="module")
def on_frames(small_data, tmp_path_factory):
    """Return a function that gives the run of a frame-level model, made once."""

    @functools.cache
    def run_of(name):
        folder = tmp_path_factory.mktemp(name)
        config = config_of(small_data, name, batch_fraction=0.5, step2_max_epochs=4)
        trainer.train(config, str(folder))
        return folder

    return run_of


@pytest.mark.parametrize(
    "name",
    [
        "DbofBasic",
        pytest.param("DbofCgate", marks=pytest.mark.slow),
        pytest.param("DbofResNet", marks=pytest.mark.slow),
    ],
)
def test_frame_models_alternate(name, on_frames, small_data, tmp_path):
    folder = on_frames(name)
    gaps = {(n, i): gap for n, i, gap in steps_of(folder)}
    assert gaps[("cycle1_step2", 4)] > 0.25
    assert gaps[("cycle1_step3", 2)] > 0.25
    best = json.loads((folder / "best" / "metrics.json").read_text())
    records = small_data.pattern("validate", "frame")
    trained = TrainedModel(str(folder))
    result = evaluate_run(trained, records, str(tmp_path / "eval"), say=lambda _: None)
    assert result["gap"] == pytest.approx(best["gap"], abs=1e-5)


def test_with_a_frame_network_given_only_what_follows_it_is_trained(
    on_frames, small_data, tmp_path
):
    first = on_frames("DbofBasic")
    config = config_of(
        small_data,
        "DbofBasic",
        alternation="large_moe",
        frame_network=str(first),
        step2_max_epochs=1,
    )
    model = ModelConfig("DbofBasic", {"width": 16, "num_mixtures": 3})
    config = dataclasses.replace(config, model=model)
    trainer.train(config, str(tmp_path))
    old, new = TrainedModel(str(first)).model, TrainedModel(str(tmp_path), "last").model
    np.testing.assert_array_equal(new.frame_fc.get_weights()[0], old.frame_fc.get_weights()[0])
    assert np.any(new.video_fc.get_weights()[0] != old.video_fc.get_weights()[0])
    half = tmp_path / "alternation" / "video_level"
    ours, theirs = (json.loads((f / "best" / "metrics.json").read_text()) for f in (tmp_path, half))
    assert ours["gap"] == pytest.approx(theirs["gap"], abs=1e-5)
    assert ours["after"] == theirs["after"]
    assert [name for name, _, _ in steps_of(tmp_path)] == ["step1", "step1", "cycle1_step2"]
    pooled = sorted((tmp_path / "alternation" / "pooled" / "train").glob("*.tfrecord"))
    assert len(pooled) == 3
    trainer.train(config, str(tmp_path))  # it is done


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "LogisticModel"}, "--model=LogisticModel does not; these do: DbofBasic"),
        ({"training": {"eval_data_pattern": ""}}, "needs --eval_data_pattern"),
        ({"training": {"patience": 2}}, "--patience and --min_gain belong to --trainer=joint"),
        (
            {"settings": {"batch_fraction": 0.0}},
            "--batch_fraction=0: expected a number above 0 and at most 1",
        ),
        (
            {"settings": {"step3_initial_delta": 20.0}},
            "--step3_initial_delta=20: expected a number above 0 and at most 10",
        ),
        ({"settings": {"task_minutes": 0.0}}, "--task_minutes=0: expected a number above 0"),
        (
            {"settings": {"step3_optimizer": "adam", "batch_fraction": 0.5}},
            "--batch_fraction=0.5: an epoch of --step3_optimizer=adam",
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
        """A multi-worker strategy without a cluster."""

        def __init__(self):
            pass

    config = config_of(small_data)
    (tmp_path / "config.json").write_text(config.to_json())
    with pytest.raises(UserError, match="not by --strategy=multi_worker"):
        trainer.train(config, str(tmp_path), start_new_model=True, strategy=Workers())
    assert (tmp_path / "config.json").exists()


def test_a_refused_attempt_does_not_prevent_the_next(small_data, tmp_path, monkeypatch):
    config = config_of(small_data, alternation="baseline")
    large = dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, batch_size=5000))
    with pytest.raises(UserError, match="--batch_size=5000"):
        trainer.train(large, str(tmp_path))
    dies_at(monkeypatch, trainer.joint_step, "run", 1)
    with pytest.raises(Killed):  # it has come to step 1
        trainer.train(config, str(tmp_path))


def test_other_settings_of_the_alternation_are_refused(full, small_data):
    with pytest.raises(UserError, match=r"alternation.max_experts: the run has 6, the flags say 7"):
        trainer.train(config_of(small_data, max_experts=7), str(full))
