"""Runs with balanced batches, class weights and label noise: they learn, resume exactly, and refuse what makes no sense."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from yt8m.data.files.shards import find_shards
from yt8m.data.inspect import find_schema
from yt8m.errors import UserError
from yt8m.losses.class_weights import class_weights
from yt8m.losses.registry import get
from yt8m.models.core import registry
from yt8m.runs.config import ModelConfig, RunConfig, TrainingConfig
from yt8m.runs.folder import RunFolder
from yt8m.runs.trained_model import TrainedModel
from yt8m.submission.predict import predict
from yt8m.submission.score_files import ScoreWriter
from yt8m.training.label_experiments import check
from yt8m.training.trainer import Trainer, train


def run_config(data, **training):
    level, name = "video", "LogisticModel"
    schema, _ = find_schema(find_shards(data.pattern("train", level)))
    # Plain gradient descent: to Adam, a class whose weights are its own learns alike at any scale of its loss.
    settings = {
        "batch_size": 50,
        "num_epochs": 1,
        "base_learning_rate": 1.0,
        "optimizer": "SGD",
        "clip_gradient_norm": 0.0,
    }
    patterns = {
        "train_data_pattern": data.pattern("train", level),
        "eval_data_pattern": data.pattern("validate", level),
    }
    recipe = registry.model_class(name).recipe.updated(settings)
    return RunConfig(
        schema,
        ModelConfig(name),
        recipe,
        TrainingConfig(**{**patterns, "progress_seconds": 1e9, **training}),
    )


def losses_of(folder):
    return [
        line["loss"] for line in RunFolder(str(folder)).logged() if line["event"] == "validation"
    ]


def stopped_after(config, folder, steps):
    """Run `config` until a signal after so many steps, and let it end."""
    run = RunFolder(str(folder))
    run.make()
    run.write_text("config.json", config.to_json())
    trainer = Trainer(config, run)
    call = trainer.step.__class__.__call__

    class Stopping:
        def __getattr__(self, name):
            return getattr(inner, name)

        def __setattr__(self, name, value):
            setattr(inner, name, value)

        def __call__(self, *arguments):
            result = call(inner, *arguments)
            if inner.done() == steps:
                trainer._on_signal(15, None)
            return result

    inner, trainer.step = trainer.step, Stopping()
    assert trainer.train() == 143
    assert train(config, str(folder)) == 0


EXPERIMENTS = {
    "balanced": {"balanced_batches": True},
    "weighted": {"label_weight_power": 1.0},
    "completed": {"label_noise": "complete", "label_noise_fraction": 0.2},
}


@pytest.fixture(scope="module")
def plain(small_data, tmp_path_factory):
    """The validation losses of a run without experiments."""
    folder = tmp_path_factory.mktemp("plain")
    train(run_config(small_data), str(folder))
    return losses_of(folder)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_changes_training_and_a_stopped_run_ends_like_one_that_was_not(
    name, small_data, plain, tmp_path
):
    config = run_config(small_data, **EXPERIMENTS[name])
    assert train(config, str(tmp_path / "whole")) == 0
    stopped_after(config, tmp_path / "stopped", 5)
    np.testing.assert_allclose(
        losses_of(tmp_path / "stopped"), losses_of(tmp_path / "whole"), rtol=1e-4
    )
    assert np.all(np.abs(np.subtract(losses_of(tmp_path / "whole"), plain)) > 1e-3)


def test_a_models_scores_of_the_training_records_say_which_labels_go(small_data, tmp_path, capsys):
    train(run_config(small_data), str(tmp_path / "first"))
    scores = str(tmp_path / "scores")
    with ScoreWriter(scores, 12) as writer:
        predict(
            TrainedModel(str(tmp_path / "first")),
            small_data.pattern("train", "video"),
            [writer],
            say=lambda _: None,
        )
    config = run_config(small_data, label_noise="remove", label_noise_scores=scores)
    assert train(config, str(tmp_path / "second")) == 0
    assert "labels removed by the scores" in capsys.readouterr().out
    assert (tmp_path / "second" / "label_index.npz").exists()
    RunFolder(str(tmp_path / "second")).delete()  # which knows the index for its own
    assert not list((tmp_path / "second").iterdir())
    with ScoreWriter(str(tmp_path / "part"), 12, meta={"covered_classes": [0, 1]}) as writer:
        writer.write(["x"], np.zeros((1, 12)))
    partial = dataclasses.replace(config.training, label_noise_scores=str(tmp_path / "part"))
    with pytest.raises(UserError, match="learnt 2 of the 12 classes"):
        train(dataclasses.replace(config, training=partial), str(tmp_path / "third"))
    small = ScoreWriter(str(tmp_path / "few"), 12)
    small.write(["x"], np.zeros((1, 12)))
    small.close()
    other = dataclasses.replace(config.training, label_noise_scores=str(tmp_path / "few"))
    with pytest.raises(UserError, match="600 of the 600 training videos have no scores"):
        train(dataclasses.replace(config, training=other), str(tmp_path / "third"))


def test_class_weights_multiply_the_training_loss_and_not_that_of_validation(small_data, tmp_path):
    config = run_config(small_data, label_weight_power=1.0)
    run = RunFolder(str(tmp_path))
    run.make()
    trainer = Trainer(config, run)
    trainer.begin()
    trainer.step.class_weights = class_weights(np.arange(1, 13), 1.0)
    rng = np.random.default_rng(0)
    labels = tf.constant((rng.random((50, 12)) < 0.3).astype(np.uint8))
    video = tf.constant(rng.normal(size=(50, 40)).astype(np.float32))
    p = trainer.model({"video": video}, training=True)
    expected = (
        tf.reduce_sum(get("CrossEntropyLoss")(labels, p, trainer.step.class_weights[None, :])) / 50
    )
    strategy = trainer.strategy
    data = tf.data.Dataset.from_tensors({"video": video, "labels": labels})
    trainer.step(iter(strategy.distribute_datasets_from_function(lambda _: data)), tf.constant(1))
    assert trainer.step.read_sums()["loss"] == pytest.approx(float(expected), rel=1e-5)
    assert trainer.loss is get("CrossEntropyLoss")


def test_what_makes_no_sense_is_refused(small_data):
    base = run_config(small_data)

    def refused(match, schema=None, model=None, **training):
        config = dataclasses.replace(base, training=dataclasses.replace(base.training, **training))
        config = dataclasses.replace(
            config, schema=schema or base.schema, model=model or base.model
        )
        with pytest.raises(UserError, match=match):
            check(config)

    segments = dataclasses.replace(base.schema, segment_labels=True)
    refused("--label_noise_scores is given without --label_noise", label_noise_scores="x")
    refused("--label_noise_fraction is given without --label_noise", label_noise_fraction=0.2)
    refused(
        "--balanced_batches: only for --trainer=joint", balanced_batches=True, trainer="partitioned"
    )
    refused("--balanced_batches: for labels of whole videos", segments, balanced_batches=True)
    refused("--label_noise: for labels of whole videos", segments, label_noise="remove")
    refused("give one of the two", balanced_batches=True, label_noise="remove")
    check(
        dataclasses.replace(
            base,
            schema=segments,
            training=dataclasses.replace(base.training, label_weight_power=1.0),
        )
    )
    check(base)


def test_ids_that_are_not_all_different_are_refused(small_data, tmp_path):
    first = small_data.pattern("train", "video").replace("train*", "train0000")
    (tmp_path / "train0001.tfrecord").write_bytes(open(first, "rb").read())
    config = run_config(small_data, label_noise="remove")
    twice = dataclasses.replace(
        config.training, train_data_pattern=f"{first},{tmp_path}/train0001.tfrecord"
    )
    with pytest.raises(UserError, match="not all different"):
        train(dataclasses.replace(config, training=twice), str(tmp_path / "run"))
