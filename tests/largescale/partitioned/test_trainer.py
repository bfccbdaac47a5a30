"""Runs of --trainer=partitioned end as ordinary runs, however often they were stopped."""

import dataclasses
import glob
import os

import numpy as np
import pytest

from tests.support.runs import events, run_on, with_training
from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.pipeline import build_dataset
from yt8m.errors import UserError
from yt8m.evaluation.evaluate_run import evaluate_run
from yt8m.files import read_json
from yt8m.largescale.partitioned import trainer
from yt8m.runs.folder import RunFolder
from yt8m.runs.settings.session import Session
from yt8m.runs.stop_signal import Stopped
from yt8m.runs.trained_model import TrainedModel

ARGUMENTS = {"num_mixtures": 3, "group_size": 5}


def run_config(data, name="PmoeModel", arguments=(), recipe=(), **training):
    arguments = {**ARGUMENTS, **dict(arguments)} if name == "PmoeModel" else {}
    recipe = {"num_epochs": 4, "base_learning_rate": 0.02, **dict(recipe)}
    training = {"trainer": "partitioned", **training}
    return run_on(data, name, recipe=recipe, arguments=arguments, **training)


@pytest.fixture(scope="module")
def run(small_data, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("runs") / "pmoe")
    trainer.train(run_config(small_data), folder)
    return folder


def test_the_run_is_like_any_other(run, small_data, tmp_path):
    assert sorted(os.listdir(run)) == [
        "best",
        "classes.csv",
        "config.json",
        "done",
        "logs",
        "metrics.jsonl",
        "priors.npy",
    ]
    best = read_json(os.path.join(run, "best", "metrics.json"))
    assert best["gap"] > 0.5
    assert best["epoch"] == 4
    assert best["step"] == 48
    result = evaluate_run(TrainedModel(run), small_data.pattern("validate", "video"), str(tmp_path))
    for key in ("gap", "map", "perr", "hit_at_1", "loss"):
        assert result[key] == pytest.approx(best[key], abs=2e-6)
    groups = events(run, "group")
    assert [g["classes"] for g in groups] == [5, 5, 2]
    assert all(g["peak_memory_gb"] > 0 and g["loss"] > 0 for g in groups)
    trainer.train(run_config(small_data), run)
    assert len(events(run, "started")) == 1


@pytest.mark.parametrize(("k", "split"), [(3, "random"), (17, "random"), (17, "ordered")])
def test_the_weight_file_is_what_was_trained(k, split, small_data, tmp_path, monkeypatch):
    """The labels are in order again after a random split, blocks of few classes, or a selection."""
    monkeypatch.setattr("yt8m.largescale.mixtures.mixture_block.BLOCK_WEIGHTS", 40 * 35 * 2)
    arguments = {"num_mixtures": k, "split": split, "split_seed": 4, "num_labels": 8}
    config = run_config(small_data, arguments=arguments, recipe={"num_epochs": 1})
    folder = str(tmp_path / "run")
    trainer.train(config, folder)
    trained = TrainedModel(folder)
    best = read_json(os.path.join(folder, "best", "metrics.json"))
    result = evaluate_run(trained, small_data.pattern("validate", "video"), str(tmp_path / "eval"))
    # Classes that are not learnt all score 0, so GAP depends a little on the order of the videos.
    assert result["loss"] == pytest.approx(best["loss"], abs=2e-6)
    assert result["gap"] == pytest.approx(best["gap"], abs=0.01)
    assert trained.model.covered_classes == list(range(8))


def test_standardized_inputs(small_data, tmp_path):
    """The joined model has the statistics by which the stored features were standardized."""
    arguments = {"input_norm": "standardize"}
    config = run_config(small_data, arguments=arguments, recipe={"num_epochs": 1})
    folder = str(tmp_path / "run")
    trainer.train(config, folder)
    trained = TrainedModel(folder)
    statistics = RunFolder(folder).load_statistics()
    np.testing.assert_allclose(
        trained.model.normalize.standardize.mean.numpy(), statistics["mean"], rtol=1e-6
    )
    best = read_json(os.path.join(folder, "best", "metrics.json"))
    result = evaluate_run(trained, small_data.pattern("validate", "video"), str(tmp_path / "eval"))
    assert result["gap"] == pytest.approx(best["gap"], abs=1e-4)


def test_a_run_that_is_done_is_not_trained_again(run, small_data, capsys):
    """Its groups are gone, so resuming it would train it from scratch."""
    config = run_config(small_data)
    trainer.train(with_training(config, num_readers=2), run)
    assert "already done" in capsys.readouterr().out
    assert len(events(run, "group")) == 3


def test_a_run_that_was_not_validated_is_not_trained_again_for_it(small_data, tmp_path):
    config = run_config(small_data, recipe={"num_epochs": 1}, max_steps=2)
    trainer.train(with_training(config, eval_data_pattern=""), str(tmp_path))
    with pytest.raises(UserError, match=r"--eval_data_pattern: .* eval.py --train_dir="):
        trainer.train(config, str(tmp_path))
    assert len(events(tmp_path, "group")) == 3


def signal_at(monkeypatch, check):
    """Let SIGTERM come before a check; return the number of checks until then, to be changed."""
    left = [check]

    def counted(method):
        def counting(self):
            left[0] -= 1
            if left[0] == 0:
                self.number = 15
            return method(self)

        return counting

    for name in ("__call__", "raise_if_set"):
        method = getattr(trainer.StopSignal, name)
        monkeypatch.setattr(trainer.StopSignal, name, counted(method))
    return left


def test_stopped_between_and_within_groups(run, small_data, tmp_path, monkeypatch):
    """Three signals, the first in the features; the last run ends like the undisturbed run."""
    folder, config = str(tmp_path / "run"), run_config(small_data)
    left = signal_at(monkeypatch, 2)
    for steps, files in ((2, 0), (20, 0), (75, 1)):
        left[0] = steps
        with pytest.raises(Stopped, match="signal 15"):
            trainer.train(with_training(config, eval_batch_size=30), folder)
        assert len(glob.glob(os.path.join(folder, "groups", "*.blocks"))) == files
        assert not os.path.exists(os.path.join(folder, "done"))
    left[0] = 10**9
    # These are in batches of 30; the others will be in batches of 50.
    assert os.path.exists(os.path.join(folder, "groups", "0000.scores"))
    trainer.train(config, folder)
    assert RunFolder(folder).load_config().training.eval_batch_size == 0
    ours, theirs = (read_json(os.path.join(f, "best", "metrics.json")) for f in (folder, run))
    assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-6)
    assert ours["gap"] == pytest.approx(theirs["gap"], abs=1e-6)
    assert len(events(folder, "stopped")) == 3
    assert len(events(folder, "resumed")) == 3
    assert len(events(folder, "group")) == 3


def test_without_validation_the_model_is_the_last(small_data, tmp_path):
    config = run_config(
        small_data,
        recipe={"num_epochs": 1},
        eval_data_pattern="",
        max_steps=5,
        cache=str(tmp_path / "features"),
    )
    folder = str(tmp_path / "run")
    trainer.train(config, folder)
    assert read_json(os.path.join(folder, "last", "metrics.json"))["step"] == 5
    assert os.listdir(tmp_path / "features") == ["train"]  # kept, where the user named the place
    files = find_shards(small_data.pattern("test", "video"))
    batch = next(iter(build_dataset(files, config.schema, batch_size=8)))
    assert np.all(np.isfinite(TrainedModel(folder).predictor(8)(batch)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "MoeModel"}, "PmoeModel, not --model=MoeModel"),
        ({"patience": 2}, "--patience"),
        ({"shuffle_buffer": 9}, "--shuffle_buffer"),
        ({"jit_compile": True}, "--jit_compile"),
        ({"init_from": "x"}, "--init_from"),
        ({"cache": "memory"}, "--cache=memory"),
        ({"cache_dir": "there"}, "--cache_dir"),
        ({"cache_gb": 5.0}, "--cache_gb"),
        ({"cache": "gs://bucket/x"}, "local folder"),
        ({"recipe": {"optimizer": "SGD"}}, "--optimizer=SGD"),
        ({"recipe": {"batch_size": 601}}, "--batch_size=601"),
        ({"arguments": {"split": "odd"}}, "cannot be created"),
    ],
)
def test_what_it_cannot_do_is_refused(change, message, small_data, tmp_path):
    with pytest.raises(UserError, match=message):
        trainer.train(run_config(small_data, **change), str(tmp_path / "run"))


def test_it_cannot_be_extended(small_data, tmp_path):
    config = dataclasses.replace(run_config(small_data), session=Session(extend="restart"))
    with pytest.raises(UserError, match="--extend does not work with --trainer=partitioned"):
        trainer.train(config, str(tmp_path / "run"))


def test_more_groups_than_files_may_be_open_are_refused_before_any_is_trained(
    small_data, tmp_path, monkeypatch
):
    monkeypatch.setattr(trainer, "MOST_GROUPS", 2)
    with pytest.raises(
        UserError, match=r"3 groups of labels are more than the 2 .*group_size .now 5"
    ):
        trainer.train(run_config(small_data), str(tmp_path))
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    "change",
    [{"recipe": {"optimizer": "SGD"}}, {"eval_data_pattern": "frames"}, {"priors_from": "nowhere"}],
)
def test_a_refused_attempt_does_not_prevent_the_next(change, small_data, tmp_path, monkeypatch):
    if "eval_data_pattern" in change:
        change = {"eval_data_pattern": small_data.pattern("validate", "frame")}
    with pytest.raises(UserError):
        trainer.train(run_config(small_data, **change), str(tmp_path))
    assert not (tmp_path / "config.json").exists()
    assert not (tmp_path / "features").exists()
    np.save(tmp_path / "priors.npy", np.full(7, 0.5))  # of the attempt, on other data
    signal_at(monkeypatch, 1)
    with pytest.raises(Stopped):
        trainer.train(run_config(small_data), str(tmp_path))
    assert np.load(tmp_path / "priors.npy").shape == (12,)


def test_a_shared_cache_of_other_features_is_refused(small_data, tmp_path):
    config = run_config(
        small_data, recipe={"num_epochs": 1}, max_steps=1, cache=str(tmp_path / "features")
    )
    trainer.train(config, str(tmp_path / "first"))
    files = find_shards(small_data.pattern("train", "video"))
    for names in (
        ["mean_audio", "mean_rgb"],
        ["mean_rgb"],
    ):  # as wide in another order, or narrower
        other = dataclasses.replace(config, schema=find_schema(files, feature_names=names)[0])
        with pytest.raises(
            UserError, match=r"features of something else .plan.json: other schema."
        ):
            trainer.train(other, str(tmp_path / "-".join(names)))


def test_a_run_cannot_be_lengthened(small_data, tmp_path, monkeypatch):
    signal_at(monkeypatch, 1)
    config = run_config(small_data)
    with pytest.raises(Stopped):
        trainer.train(config, str(tmp_path))
    with pytest.raises(UserError, match="equally long"):
        trainer.train(
            dataclasses.replace(config, recipe=config.recipe.updated({"num_epochs": 9})),
            str(tmp_path),
        )
