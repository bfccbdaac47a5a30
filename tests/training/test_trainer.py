"""Whole runs on synthetic data: every model learns, and a stopped run resumes exactly."""

import json
import pathlib
import signal

import numpy as np
import pytest
import tensorflow as tf

from tests.support.every_model import every_model
from tests.support.runs import (
    begun,
    events,
    losses_of,
    new_run,
    prior_gap,
    run_config,
    stop_at,
    with_training,
)
from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.records.writers import frame_record, write_shard
from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.runs import open as opening
from yt8m.runs.folder import RunFolder
from yt8m.runs.stop_signal import Stopped
from yt8m.runs.trained_model import TrainedModel
from yt8m.training.trainer import Trainer, train
from yt8m.training.validation import Validation


@pytest.mark.parametrize("name", every_model())
def test_every_model_beats_the_prior(name, small_data, tmp_path):
    config = run_config(small_data, name, epochs=2, recipe={"batch_size": 15})  # 80 steps
    train(config, str(tmp_path))
    best = json.loads((tmp_path / "best" / "metrics.json").read_text())
    assert best["gap"] > prior_gap(config) + 0.05


@pytest.mark.parametrize("name", ["MoeModel", "DbofBasic"])
def test_a_run_stopped_in_mid_epoch_ends_like_one_that_was_not(name, small_data, tmp_path):
    config = run_config(small_data, name, epochs=2, recipe={"weight_average": 0.9})
    whole = tmp_path / "whole"
    train(config, str(whole))
    stopped = tmp_path / "stopped"
    run = begun(config, stopped)
    stop_at(Trainer(config, run), 5)
    assert not run.is_done()
    train(config, str(stopped))
    # The same order and the same frames; only the last digits may differ.
    np.testing.assert_allclose(losses_of(stopped), losses_of(whole), rtol=1e-4)
    assert run.is_done()


def test_a_finished_run_is_not_trained_again(small_data, tmp_path, capsys):
    config = run_config(small_data, "LogisticModel", epochs=1)
    train(config, str(tmp_path))
    before = (tmp_path / "metrics.jsonl").read_text()
    train(config, str(tmp_path))
    assert "done" in capsys.readouterr().out
    assert (tmp_path / "metrics.jsonl").read_text() == before


@pytest.mark.parametrize("chief", [True, False])
def test_of_several_workers_only_the_chief_deletes_an_earlier_run(
    chief, small_data, tmp_path, monkeypatch
):
    config = run_config(small_data, "LogisticModel")
    (tmp_path / "config.json").write_text(config.to_json())
    (tmp_path / "done").write_text("")
    calls = []

    def others_come(_):
        calls.append((tmp_path / "done").exists())
        (tmp_path / "config.json").unlink(missing_ok=True)  # the chief has been here by now

    monkeypatch.setattr(opening, "is_chief", lambda _: chief)
    monkeypatch.setattr(opening, "any_worker", lambda _: others_come)
    _, _, finished = opening.open_run(
        config, str(tmp_path), True, tf.distribute.OneDeviceStrategy("/cpu:0")
    )
    assert calls == [not chief]
    assert not finished


def test_a_worker_stops_when_another_was_asked_to_and_not_before_all_know(small_data, tmp_path):
    trainer = Trainer(run_config(small_data, "LogisticModel"), RunFolder(str(tmp_path)))
    answers = []

    def all_workers(own):
        answers.append(own)
        if len(answers) == 2:
            trainer.stop.received.number = signal.SIGINT  # just after this worker's vote
        return len(answers) > 2 and own

    trainer.stop.any_worker = all_workers
    with pytest.raises(Stopped) as stopped:
        trainer.train()
    assert stopped.value.number == signal.SIGINT
    assert answers == [False, False, True]
    assert trainer.step.done() == 2
    other = Trainer(run_config(small_data, "LogisticModel"), RunFolder(str(tmp_path)))
    other.stop.any_worker = lambda own: other.step.done() == 4
    with pytest.raises(Stopped) as stopped:
        other.train()
    assert stopped.value.number == signal.SIGTERM
    assert other.stop.received.number is None


def test_predictions_that_are_no_probabilities_are_refused(small_data, tmp_path, monkeypatch):
    cls = registry.model_class("LogisticModel")
    call = cls.call
    monkeypatch.setattr(
        cls,
        "call",
        lambda self, inputs, training=None: 4.0 * call(self, inputs, training=training) - 2.0,
    )
    with pytest.raises(
        UserError, match=r"LogisticModel predicts -.* probabilities, 0 to 1"
    ):
        train(run_config(small_data, "LogisticModel", epochs=1), str(tmp_path))


def test_other_settings_are_refused_and_shown(small_data, tmp_path):
    train(run_config(small_data, "LogisticModel", epochs=1), str(tmp_path))
    with pytest.raises(
        UserError, match=r"recipe.base_learning_rate: the run has 0.02, the flags say 0.5"
    ):
        train(
            run_config(small_data, "LogisticModel", epochs=1, recipe={"base_learning_rate": 0.5}),
            str(tmp_path),
        )
    train(
        run_config(small_data, "LogisticModel", epochs=1, recipe={"base_learning_rate": 0.5}),
        str(tmp_path),
        True,
    )


def test_a_loss_that_diverges_stops_the_run_and_keeps_the_last_good_checkpoint(
    small_data, tmp_path
):
    good = run_config(small_data, "MoeModel", epochs=1)
    train(good, str(tmp_path))
    checkpoint = sorted(p.name for p in (tmp_path / "checkpoints").iterdir())
    weights = (tmp_path / "best" / "model.weights.h5").read_bytes()
    diverging = run_config(
        small_data,
        "MoeModel",
        epochs=3,
        recipe={
            "optimizer": "SGD",
            "base_learning_rate": 1e30,
            "clip_gradient_norm": 0.0,
            "schedule": "constant",
        },
        arguments={"l2": 1.0},
    )
    other = tmp_path / "diverging"
    with pytest.raises(
        UserError,
        match=r"First .*inspect --full .* records with NaN.* Else lower --base_learning_rate",
    ):
        train(diverging, str(other))
    assert not (other / "best").exists()
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == checkpoint
    assert (tmp_path / "best" / "model.weights.h5").read_bytes() == weights


def test_records_that_do_not_parse_are_skipped(small_data, tmp_path, capsys):
    good = run_config(small_data, "LogisticModel", epochs=1, recipe={"batch_size": 25})
    payloads = [
        bytes(r.numpy())
        for r in tf.data.TFRecordDataset(find_shards(good.training.train_data_pattern)[0])
    ][:100]
    payloads[40] = b"garbage \xff payload"  # TensorFlow's message quotes it, and is then no text
    path = str(tmp_path / "x.tfrecord")
    write_shard(path, payloads)
    about = {"train_data_pattern": path, "eval_data_pattern": "", "steps_per_call": 2}
    allowed = with_training(good, **about, max_bad_records=1)
    train(allowed, str(tmp_path / "run"))
    out = capsys.readouterr().out
    at = sum(len(p) + 16 for p in payloads[:40])
    assert (
        f"skipped 1 broken records; the first: {path} at byte {at}, neither a tf.train.Example"
        in out
    )
    assert "done after 3 steps" in out  # of 99 records


def test_a_refused_attempt_does_not_stand_in_the_way_of_the_next(small_data, tmp_path):
    with pytest.raises(UserError, match="--batch_size=5000"):
        train(
            run_config(small_data, "LogisticModel", epochs=1, recipe={"batch_size": 5000}),
            str(tmp_path),
        )
    assert not (tmp_path / "config.json").exists()
    np.save(tmp_path / "priors.npy", np.full(7, 0.5))  # of the attempt, on other data
    train(run_config(small_data, "LogisticModel", epochs=1), str(tmp_path))
    assert np.load(tmp_path / "priors.npy").shape == (12,)


@pytest.mark.parametrize("flag", ["init_from", "priors_from"])
def test_a_run_is_not_deleted_to_start_from_it(flag, small_data, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    config = run_config(small_data, "LogisticModel", epochs=1, **{flag: f"{tmp_path}/"})
    with pytest.raises(UserError, match=f"--start_new_model would delete --{flag}="):
        train(config, str(tmp_path), start_new_model=True)
    assert (tmp_path / "config.json").exists()


def test_an_epoch_of_segments_counts_segments(tmp_path, capsys):
    frames = np.random.default_rng(0).integers(0, 256, (12, 10, 8), dtype=np.uint8)
    ratings = [(0, 1, 1.0), (5, 2, 0.0), (5, 1, 0.0)]
    shard = str(tmp_path / "rated.tfrecord")
    write_shard(
        shard,
        [frame_record(b"v%d" % i, {"rgb": x}, [1], segments=ratings) for i, x in enumerate(frames)],
    )
    recipe = {"batch_size": 4, "num_epochs": 2, "schedule": "cosine", "warmup_examples": 0}
    schema = find_schema([shard], feature_names=["rgb"], num_classes=4, segment_labels=True)[0]
    config = new_run(
        shard,
        "FrameLevelLogisticModel",
        schema=schema,
        recipe=recipe,
        eval_data_pattern=shard,
        progress_seconds=0.0,
    )
    train(config, str(tmp_path / "run"))
    base = config.recipe.base_learning_rate
    rates = [e["learning_rate"] / base for e in events(tmp_path / "run", "train")]
    assert len(rates) == 12  # 24 segments an epoch, of 12 videos
    assert rates[6] == pytest.approx(0.5)
    assert 0 < rates[-1] < 0.1
    assert "(24 segments in" in capsys.readouterr().out


def test_validation_records_that_do_not_fit_are_refused_before_the_first_step(small_data, tmp_path):
    config = run_config(
        small_data, "LogisticModel", eval_data_pattern=small_data.pattern("validate", "frame")
    )
    with pytest.raises(UserError, match="--eval_data_pattern"):
        train(config, str(tmp_path))
    assert not (tmp_path / "config.json").exists()
    assert not (tmp_path / "metrics.jsonl").exists()


def test_an_epoch_whose_validation_failed_is_validated_when_the_run_goes_on(
    small_data, tmp_path, monkeypatch
):
    config = run_config(small_data, "LogisticModel", epochs=2)
    train(config, str(tmp_path / "whole"))

    def fails(*_):
        raise UserError("a shard of --eval_data_pattern is broken")

    with monkeypatch.context() as patch:
        patch.setattr(Validation, "__call__", fails)
        with pytest.raises(UserError, match="is broken"):
            train(config, str(tmp_path / "repaired"))
    train(config, str(tmp_path / "repaired"))
    logged = [
        [(e["epoch"], e["step"]) for e in events(tmp_path / name, "validation")]
        for name in ("whole", "repaired")
    ]
    assert logged[0] == logged[1] == [(1, 12), (2, 24)]
    np.testing.assert_allclose(
        losses_of(tmp_path / "repaired"), losses_of(tmp_path / "whole"), rtol=1e-5
    )


def test_a_run_without_validation_keeps_its_last_model_and_may_be_given_one(small_data, tmp_path):
    config = run_config(small_data, "LogisticModel", epochs=1, eval_data_pattern="")
    run = RunFolder(str(tmp_path))
    run.make()
    stop_at(Trainer(config, run), 5)
    assert json.loads((tmp_path / "last" / "metrics.json").read_text())["step"] == 5
    TrainedModel(str(tmp_path))
    validated = run_config(small_data, "LogisticModel", epochs=1)
    train(validated, str(tmp_path))
    assert json.loads((tmp_path / "best" / "metrics.json").read_text())["step"] == 12
    assert run.load_config().training.eval_data_pattern  # for eval.py, which asks for none


def test_where_the_newest_checkpoint_is_damaged_an_older_one_is_taken(small_data, tmp_path, capsys):
    config = run_config(small_data, "LogisticModel", epochs=2, export_model_steps=5)
    run = RunFolder(str(tmp_path))
    run.make()
    stop_at(Trainer(config, run), 13)
    newest = tmp_path / "checkpoints" / "ckpt-13.data-00000-of-00001"
    newest.write_bytes(newest.read_bytes()[:500])
    train(config, str(tmp_path))
    out = capsys.readouterr().out
    assert "ckpt-13 cannot be read" in out
    assert "resumed at step 12" in out
    assert json.loads((tmp_path / "last" / "metrics.json").read_text())["step"] == 24
    for data in (tmp_path / "checkpoints").glob("*.data*"):
        data.write_bytes(b"")
    (tmp_path / "done").unlink()
    with pytest.raises(UserError, match=r"no checkpoint of .* can be read.*--init_from"):
        train(config, str(tmp_path))


@pytest.mark.parametrize(("rate", "min_gain"), [(0.0, 0.0), (0.02, 1.0)])
def test_patience_stops_early(rate, min_gain, small_data, tmp_path):
    config = run_config(
        small_data,
        "LogisticModel",
        epochs=8,
        recipe={"base_learning_rate": rate},
        patience=2,
        min_gain=min_gain,
    )
    train(config, str(tmp_path))
    assert (
        len(losses_of(tmp_path)) == 3
    )  # the first is the best, two more are no better, or not enough


def test_max_steps_ends_the_run(small_data, tmp_path):
    train(run_config(small_data, "LogisticModel", epochs=5, max_steps=7), str(tmp_path))
    assert json.loads((tmp_path / "last" / "metrics.json").read_text())["step"] == 7


def test_mirrored_and_one_device_learn_alike(small_data, tmp_path):
    import tensorflow as tf

    tf.distribute.MirroredStrategy._collective_key_base += 1000
    for strategy in ("one", "mirrored"):
        train(
            run_config(small_data, "MoeModel", epochs=2, strategy=strategy),
            str(tmp_path / strategy),
        )
    np.testing.assert_allclose(
        losses_of(tmp_path / "one"), losses_of(tmp_path / "mirrored"), rtol=0.02
    )


def test_priors_are_kept_and_taken_from_an_earlier_run(small_data, tmp_path):
    train(run_config(small_data, "LogisticModel", epochs=1), str(tmp_path / "first"))
    priors = np.load(tmp_path / "first" / "priors.npy")
    assert priors.shape == (12,)
    assert 0.5 < priors.sum() < 6
    train(
        run_config(small_data, "LogisticModel", epochs=1, priors_from=str(tmp_path / "first")),
        str(tmp_path / "second"),
    )
    np.testing.assert_array_equal(np.load(tmp_path / "second" / "priors.npy"), priors)
    with pytest.raises(UserError, match="--priors_from"):
        train(
            run_config(small_data, "LogisticModel", epochs=1, priors_from=str(tmp_path)),
            str(tmp_path / "third"),
        )


def test_broken_records_are_skipped_counted_and_refused_above_the_limit(
    small_data, tmp_path, capsys
):
    for name in ("train0000.tfrecord", "train0001.tfrecord", "vocabulary.csv"):
        data = bytearray(pathlib.Path(small_data.folder, "video", name).read_bytes())
        if name == "train0001.tfrecord":
            data[len(data) // 2] ^= 0xFF
        (tmp_path / name).write_bytes(data)
    config = run_config(small_data, "LogisticModel", epochs=2)
    config = with_training(config, train_data_pattern=f"{tmp_path}/train*.tfrecord")
    train(config, str(tmp_path / "run"))
    out = capsys.readouterr().out
    assert "skipped 1 broken records" in out  # once, although there were two epochs
    strict = with_training(config, max_bad_records=0)
    with pytest.raises(UserError, match=r"train0001.tfrecord has a broken record at byte"):
        train(strict, str(tmp_path / "strict"))
