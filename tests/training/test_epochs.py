"""The length of an epoch, and the broken records in it."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tests.support.runs import events, metrics_of, new_run, run_config, with_training
from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.records.writers import frame_record, write_shard
from yt8m.errors import UserError
from yt8m.runs.load import load_run
from yt8m.runs.stop_signal import StopVote
from yt8m.training.step import TrainStep
from yt8m.training.trainer import train


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
        f"skipped 1 broken records; the first is in {path} at byte {at}: neither a tf.train.Example"
        in out
    )
    assert "done after 3 steps" in out  # of 99 records


def test_the_step_that_a_signal_would_save_is_the_last_one_while_validating(
    small_data, tmp_path, monkeypatch
):
    said = []
    monkeypatch.setattr(StopVote, "will_save", lambda self, step: said.append(step))
    config = run_config(small_data, "LogisticModel", epochs=1, recipe={"batch_size": 200})
    train(config, str(tmp_path / "run"))
    assert said == [1, 2, 3, 4, 3]  # the fourth finds that the data have ended


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


def test_a_call_ends_with_the_epoch_and_where_a_checkpoint_is_due(
    small_data, tmp_path, monkeypatch
):
    calls: list[int] = []
    whole = TrainStep.__call__

    def counted(self, iterator, steps):
        calls.append(int(steps))
        return whole.__get__(self, TrainStep)(iterator, steps)

    monkeypatch.setattr(TrainStep, "__call__", counted)
    config = run_config(
        small_data, "LogisticModel", epochs=2, steps_per_call=8, export_model_steps=5, max_steps=21
    )
    train(config, str(tmp_path / "grouped"))
    # 12 steps an epoch, after which one more step looks for data and finds none.
    assert calls == [5, 5, 2, 1, 5, 4]
    assert [e["step"] for e in events(tmp_path / "grouped", "train")][-1] == 21
    train(with_training(config, steps_per_call=1), str(tmp_path / "single"))
    grouped, single = (
        load_run(str(tmp_path / name), "--train_dir")[1].get_weights()
        for name in ("grouped", "single")
    )
    for a, b in zip(grouped, single):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_max_steps_ends_the_run(small_data, tmp_path):
    train(run_config(small_data, "LogisticModel", epochs=5, max_steps=7), str(tmp_path))
    assert metrics_of(tmp_path, "last")["step"] == 7


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
