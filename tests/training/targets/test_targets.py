"""Runs with a teacher, mixtures, dropped frames and smoothed labels learn and resume exactly."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from tests.support.runs import begun, losses_of, run_on, stop_at, with_training
from yt8m.errors import UserError
from yt8m.layers.heads import mixture_loss
from yt8m.losses.registry import get
from yt8m.losses.soft_targets import Distillation
from yt8m.models.core.recipe import Recipe
from yt8m.models.video.moe import MoeModel
from yt8m.runs.config import RunConfig
from yt8m.runs.trained_model import TrainedModel
from yt8m.submission.predict import predict
from yt8m.submission.score_files import ScoreWriter
from yt8m.submission.scores.best import BestWriter
from yt8m.training.label_experiments import check
from yt8m.training.optimizers import make_optimizer, prepare
from yt8m.training.step import TrainStep
from yt8m.training.trainer import Trainer, train
from yt8m.training.weight_average import WeightAverage


def run_of(data, model="LogisticModel", loss="CrossEntropyLoss", mixup=0.0, **training):
    recipe = {"num_epochs": 2, "label_loss": loss, "weight_average": 0.0, "mixup": mixup}
    return run_on(data, model, recipe=recipe, **training)


@pytest.fixture(scope="module")
def plain(small_data, tmp_path_factory):
    """A folder with a run on labels alone."""
    folder = tmp_path_factory.mktemp("plain")
    train(run_of(small_data), str(folder))
    return folder


@pytest.fixture(scope="module")
def answers(small_data, plain, tmp_path_factory):
    """Folders with that run's scores: of all classes, and of the best five."""
    folder = tmp_path_factory.mktemp("scores")
    whole, best = str(folder / "whole"), str(folder / "best")
    with ScoreWriter(whole, 12, "float16") as first, BestWriter(best, 12, 5) as second:
        records = small_data.pattern("train", "video")
        predict(TrainedModel(str(plain)), records, [first, second], say=lambda _: None)
    return {"whole": whole, "best": best}


FRAMES = "FrameLevelLogisticModel"
CHANGES = {"mixup": 0.4, "label_smoothing": 0.2, "drop_frames": 0.7}


def test_a_teacher_changes_training(small_data, plain, answers, tmp_path):
    config = run_of(
        small_data, teacher_scores=answers["whole"], teacher_weight=0.9, teacher_temperature=2.0
    )
    train(config, str(tmp_path))
    assert np.all(np.abs(np.subtract(losses_of(tmp_path), losses_of(plain))) > 1e-4)


def test_a_stopped_run_ends_like_one_that_was_not(small_data, answers, tmp_path):
    config = run_of(small_data, FRAMES, teacher_scores=answers["best"], **CHANGES)
    assert RunConfig.from_json(config.to_json()) == config
    train(config, str(tmp_path / "whole"))
    stop_at(Trainer(config, begun(config, tmp_path / "stopped")), 5)
    train(config, str(tmp_path / "stopped"))
    assert losses_of(tmp_path / "stopped") == losses_of(tmp_path / "whole")


def test_a_run_begun_when_mixup_was_no_part_of_the_recipe_keeps_it(small_data):
    config = run_of(small_data, mixup=0.4)
    values = json.loads(config.to_json())
    values["training"]["mixup"] = values["recipe"].pop("mixup")
    assert RunConfig.from_json(json.dumps(values)) == config


@pytest.mark.parametrize("name", [*CHANGES, "teacher_scores"])
def test_each_setting_alone_reaches_the_batches(name, small_data, answers, tmp_path):
    value = CHANGES.get(name, answers["best"])
    epochs = Trainer(
        run_of(small_data, FRAMES, **{name: value}), begun(run_of(small_data), tmp_path)
    )._epochs()
    batch = next(epochs._open())
    assert ("teacher" in batch) == (name == "teacher_scores")
    assert ("targets" in batch) == (name in ("mixup", "label_smoothing"))
    assert bool((batch["num_frames"].numpy() < 10).any()) == (name == "drop_frames")
    assert "id" not in batch


def test_a_student_of_its_teacher_alone_answers_like_it(small_data, plain, answers, tmp_path):
    """Labels that are all removed teach nothing; the teacher's scores still do."""
    config = run_of(
        small_data,
        teacher_scores=answers["whole"],
        teacher_weight=1.0,
        label_noise="remove",
        label_noise_fraction=1.0,
    )
    config = dataclasses.replace(
        config, recipe=dataclasses.replace(config.recipe, num_epochs=6, base_learning_rate=0.05)
    )
    train(config, str(tmp_path / "student"))
    assert losses_of(tmp_path / "student")[-1] == pytest.approx(losses_of(plain)[-1], rel=0.1)


def test_videos_without_scores_are_counted_and_another_teacher_is_refused(
    small_data, answers, tmp_path, capsys
):
    from yt8m.submission.score_formats import open_scores

    stored = open_scores(answers["whole"])
    rows = np.arange(0, 600, 2)
    some = str(tmp_path / "some")
    with ScoreWriter(some, 12) as writer:
        writer.write([stored.ids[i] for i in rows], stored.dense(rows))
    train(run_of(small_data, teacher_scores=some), str(tmp_path / "run"))
    said = capsys.readouterr().out
    assert said.count("300 of the 600 training videos read have no scores") == 2

    with ScoreWriter(str(tmp_path / "strangers"), 12) as writer:
        writer.write(["x"], np.zeros((1, 12)))
    with pytest.raises(UserError, match="none of the first 64 training videos"):
        train(
            run_of(small_data, teacher_scores=str(tmp_path / "strangers")), str(tmp_path / "other")
        )


def test_scores_are_those_of_the_first_folder_and_of_the_classes_it_covers(tmp_path):
    from yt8m.submission.score_formats import open_scores
    from yt8m.training.targets.teacher import Teacher

    with ScoreWriter(str(tmp_path / "1"), 12, meta={"covered_classes": [0, 3]}) as writer:
        writer.write(["a", "bb"], np.full((2, 12), 0.25))
    with ScoreWriter(str(tmp_path / "2"), 12) as writer:
        writer.write(["d", "a", "c"], np.full((3, 12), 0.5) + np.arange(3)[:, None] / 8)
    teacher = Teacher([open_scores(str(tmp_path / name)) for name in "12"], 12)
    found = teacher.scores_of(np.array([b"bb", b"unknown", b"c", b"a"], object))
    expected = np.full((4, 12), -1.0)
    expected[[0, 0, 3, 3], [0, 3, 0, 3]] = 0.25
    expected[2] = 0.75
    np.testing.assert_array_equal(found, expected)
    assert "1 of the 4" in teacher.finding()
    assert not teacher.finding()


def test_what_makes_no_sense_is_refused(small_data, answers, tmp_path):
    base = run_of(small_data)

    def refused(match, config=base, schema=base.schema, **training):
        config = dataclasses.replace(with_training(config, **training), schema=schema)
        with pytest.raises(UserError, match=match):
            check(config)

    whole = answers["whole"]
    segments = dataclasses.replace(base.schema, segment_labels=True)
    refused("--teacher_weight is given without --teacher_scores", teacher_weight=0.3)
    refused("--teacher_temperature is given without", teacher_temperature=3.0)
    refused(
        "--teacher_scores works only with --trainer", teacher_scores=whole, trainer="alternating"
    )
    mixed = run_of(small_data, mixup=0.2)
    refused("--mixup works on labels of whole videos", mixed, segments)
    refused("--drop_frames: these records have no frames", drop_frames=0.2)
    refused("not a score folder", teacher_scores=str(tmp_path))
    refused(
        "12 classes, but the training records have 13",
        schema=dataclasses.replace(base.schema, num_classes=13),
        teacher_scores=whole,
    )
    refused("needs a loss that is a sum", run_of(small_data, loss="SoftmaxLoss", mixup=0.2))
    refused(
        "has a loss of its own", run_of(small_data, "VideoLabelDecoderModel"), label_smoothing=0.1
    )
    refused("does not learn labels", run_of(small_data, "ContextEncoderModel"), drop_frames=0.1)
    check(run_of(small_data, "LabelDecoderModel", drop_frames=0.1))
    with ScoreWriter(str(tmp_path / "segments"), 12, meta={"segments": True}) as writer:
        writer.write(["x:0"], np.zeros((1, 12)))
    refused("for five-second segments", teacher_scores=str(tmp_path / "segments"))


K, SIZES, B = 7, (6, 2), 8


def weights_after_steps(strategy, jit_compile=False):
    """Return the weights of a mixture after three steps with targets and a teacher."""
    tf.keras.utils.set_random_seed(1)
    recipe = Recipe(optimizer="SGD", base_learning_rate=0.5, batch_size=B)
    with strategy.scope():
        model = MoeModel(K, SIZES).build_weights()
        average = WeightAverage(model.trainable_variables, 0.0)
        optimizer = make_optimizer(recipe, 1000)
        prepare(optimizer, model.trainable_variables)
        step = TrainStep(
            strategy,
            model,
            get("CrossEntropyLoss"),
            optimizer,
            average,
            recipe,
            jit_compile=jit_compile,
            distillation=Distillation(0.5, 2.0),
        )
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(scale=0.3, size=w.shape) for w in model.get_weights()])
    y = (rng.random((3 * B, K)) < 0.3).astype(np.uint8)
    teacher = rng.random((3 * B, K)).astype(np.float32)
    teacher[::5] = -1
    data = tf.data.Dataset.from_tensor_slices(
        {
            "video": rng.normal(size=(3 * B, sum(SIZES))).astype(np.float32),
            "labels": y,
            "targets": (0.9 * y + 0.02).astype(np.float32),
            "teacher": teacher,
        }
    ).batch(B // strategy.num_replicas_in_sync, drop_remainder=True)
    iterator = iter(strategy.distribute_datasets_from_function(lambda _: data))
    for _ in range(3):
        step(iterator, tf.constant(1))
    return model.get_weights()


def test_two_replicas_the_fused_loss_and_xla_learn_the_same(mirrored, monkeypatch):
    one_device = tf.distribute.OneDeviceStrategy("/cpu:0")
    expected = weights_after_steps(one_device)
    found = [weights_after_steps(mirrored), weights_after_steps(one_device, jit_compile=True)]
    monkeypatch.setattr(mixture_loss, "LARGE", 0)
    found.append(weights_after_steps(one_device))
    for weights in found:
        for a, b in zip(expected, weights):
            np.testing.assert_allclose(a, b, atol=2e-5)
