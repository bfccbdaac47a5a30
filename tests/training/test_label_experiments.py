"""Runs with balanced batches, class weights and label noise learn and resume exactly."""

import dataclasses
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests.support.runs import begun, losses_of, run_on, stop_at, with_training
from yt8m.errors import UserError
from yt8m.losses.class_weights import class_weights
from yt8m.losses.registry import get
from yt8m.runs.folder import RunFolder
from yt8m.runs.trained_model import TrainedModel
from yt8m.submission.predict import predict
from yt8m.submission.score_files import ScoreWriter
from yt8m.training.label_experiments import check
from yt8m.training.trainer import Trainer, train


def experiment(data, **training):
    # Plain gradient descent: Adam gives a class whose loss is scaled the same steps.
    recipe = {
        "num_epochs": 1,
        "base_learning_rate": 1.0,
        "optimizer": "SGD",
        "clip_gradient_norm": 0.0,
    }
    return run_on(data, "LogisticModel", recipe=recipe, **training)


EXPERIMENTS = {
    "balanced": {"balanced_batches": True},
    "weighted": {"label_weight_power": 1.0},
    "completed": {"label_noise": "complete", "label_noise_fraction": 0.2},
}


@pytest.fixture(scope="module")
def plain(small_data, tmp_path_factory):
    """The validation losses of a run without experiments."""
    folder = tmp_path_factory.mktemp("plain")
    train(experiment(small_data), str(folder))
    return losses_of(folder)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_changes_training_and_a_stopped_run_ends_like_one_that_was_not(
    name, small_data, plain, tmp_path
):
    config = experiment(small_data, **EXPERIMENTS[name])
    train(config, str(tmp_path / "whole"))
    stop_at(Trainer(config, begun(config, tmp_path / "stopped")), 5)
    train(config, str(tmp_path / "stopped"))
    np.testing.assert_allclose(
        losses_of(tmp_path / "stopped"), losses_of(tmp_path / "whole"), rtol=1e-4
    )
    assert np.all(np.abs(np.subtract(losses_of(tmp_path / "whole"), plain)) > 1e-3)


def test_a_models_scores_of_the_training_records_say_which_labels_go(small_data, tmp_path, capsys):
    train(experiment(small_data), str(tmp_path / "first"))
    scores = str(tmp_path / "scores")
    with ScoreWriter(scores, 12) as writer:
        predict(
            TrainedModel(str(tmp_path / "first")),
            small_data.pattern("train", "video"),
            [writer],
            say=lambda _: None,
        )
    config = experiment(small_data, label_noise="remove", label_noise_scores=scores)
    train(config, str(tmp_path / "second"))
    assert "labels removed by the scores" in capsys.readouterr().out
    assert (tmp_path / "second" / "label_index.npz").exists()
    RunFolder(str(tmp_path / "second")).delete()  # which knows the index for its own
    assert not list((tmp_path / "second").iterdir())
    with ScoreWriter(str(tmp_path / "part"), 12, meta={"covered_classes": [0, 1]}) as writer:
        writer.write(["x"], np.zeros((1, 12)))
    with pytest.raises(UserError, match="trained on 2 of the 12 classes"):
        train(
            with_training(config, label_noise_scores=str(tmp_path / "part")),
            str(tmp_path / "third"),
        )
    small = ScoreWriter(str(tmp_path / "few"), 12)
    small.write(["x"], np.zeros((1, 12)))
    small.close()
    with pytest.raises(UserError, match="600 of the 600 training videos have no scores"):
        train(
            with_training(config, label_noise_scores=str(tmp_path / "few")), str(tmp_path / "third")
        )


def test_class_weights_multiply_the_training_loss_and_not_that_of_validation(small_data, tmp_path):
    config = experiment(small_data, label_weight_power=1.0)
    run = RunFolder(str(tmp_path))
    run.make()
    trainer = Trainer(config, run)
    trainer.begin()
    trainer.step.class_weights = class_weights(np.arange(1, 13), 1.0)
    rng = np.random.default_rng(0)
    labels = tf.constant((rng.random((50, 12)) < 0.3).astype(np.uint8))
    video = tf.constant(rng.normal(size=(50, 40)).astype(np.float32))
    p = trainer.step.model({"video": video}, training=True)
    expected = (
        tf.reduce_sum(get("CrossEntropyLoss")(labels, p, trainer.step.class_weights[None, :])) / 50
    )
    strategy = trainer.strategy
    data = tf.data.Dataset.from_tensors({"video": video, "labels": labels})
    trainer.step(iter(strategy.distribute_datasets_from_function(lambda _: data)), tf.constant(1))
    assert trainer.step.read_sums()["loss"] == pytest.approx(float(expected), rel=1e-5)
    assert trainer.step.loss is get("CrossEntropyLoss")


def test_what_makes_no_sense_is_refused(small_data):
    base = experiment(small_data)

    def refused(match, schema=base.schema, **training):
        config = dataclasses.replace(with_training(base, **training), schema=schema)
        with pytest.raises(UserError, match=match):
            check(config)

    segments = dataclasses.replace(base.schema, segment_labels=True)
    refused("--label_noise_scores is given without --label_noise", label_noise_scores="x")
    refused("--label_noise_fraction is given without --label_noise", label_noise_fraction=0.2)
    refused(
        "--balanced_batches works only with --trainer=joint",
        balanced_batches=True,
        trainer="partitioned",
    )
    refused("--balanced_batches works on labels of whole videos", segments, balanced_batches=True)
    refused("--label_noise works on labels of whole videos", segments, label_noise="remove")
    refused("use only one of the two", balanced_batches=True, label_noise="remove")
    check(dataclasses.replace(with_training(base, label_weight_power=1.0), schema=segments))
    check(base)


def test_ids_that_are_not_all_different_are_refused(small_data, tmp_path):
    first = small_data.pattern("train", "video").replace("train*", "train0000")
    shutil.copy(first, tmp_path / "train0001.tfrecord")
    config = experiment(small_data, label_noise="remove")
    twice = with_training(config, train_data_pattern=f"{first},{tmp_path}/train0001.tfrecord")
    with pytest.raises(UserError, match="not all different"):
        train(twice, str(tmp_path / "run"))
