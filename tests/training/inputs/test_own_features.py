"""Own features train well whatever their scale, and a run carries what that takes."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.commands import run_command
from tests.support.runs import metrics_of
from yt8m.data.records.writers import frame_record, video_record, write_shard
from yt8m.files import read_json
from yt8m.runs.load import load_run

K, D = 20, 64
FRAMES = ("--max_frames=6", "--num_epochs=6", "--batch_size=32")


def write(folder, level, change):
    """Write videos of 20 classes, whose features `change` maps to others."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(K, D))
    for split, count in (("train", 320), ("validate", 100)):
        records = []
        for i in range(count):
            labels = rng.choice(K, size=rng.integers(1, 3), replace=False)
            noise = rng.normal(size=(rng.integers(3, 7), D))
            frames = np.clip(centers[labels].mean(0) + 0.5 * noise, -3, 3)
            frames = change(frames).astype(np.float32)
            if level == "frame":
                records.append(frame_record(b"v%d" % i, {"own": frames}, labels))
            else:
                records.append(video_record(b"v%d" % i, {"mean_own": frames.mean(0)}, labels))
        write_shard(str(folder / f"{split}.tfrecord"), records)
    return folder


def train(folder, model, *flags):
    ended = run_command(
        "train",
        f"--model={model}",
        f"--train_data_pattern={folder}/train.tfrecord",
        f"--eval_data_pattern={folder}/validate.tfrecord",
        f"--train_dir={folder}/run",
        f"--num_classes={K}",
        *flags,
    )
    assert ended.code == 0, ended.err
    return metrics_of(folder / "run")["gap"], ended.out


def between_2_5_and_8(x):
    return 2.5 + 5.5 * (x + 3) / 6


def scaled_and_shifted(x):
    rng = np.random.default_rng(5)
    return x * 10 ** rng.uniform(-3, 3, D) + rng.uniform(-100, 100, D)


def test_means_between_2_5_and_8_without_a_flag(tmp_path):
    gap, said = train(write(tmp_path, "video", between_2_5_and_8), "MoeModel")
    assert gap >= 0.99
    assert "batches of 32 instead of 512, because there are so few records" in said
    assert "the features are of no known release" in said
    assert "input statistics: mean and spread of each feature in 320 videos" in said


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("plain"), "frame", lambda x: x)
    return folder, train(folder, "FrameLevelLogisticModel", *FRAMES)


def test_any_scale_of_frames_gives_the_same_gap(plain, tmp_path):
    _, (gap, said) = plain
    assert gap > 0.9
    assert "float frames travel as float16" in said
    folder = write(tmp_path, "frame", scaled_and_shifted)
    other, said = train(folder, "FrameLevelLogisticModel", *FRAMES)
    assert "float frames travel as float32" in said
    assert other == pytest.approx(gap, abs=0.002)


def test_the_run_and_its_export_need_no_more(plain, tmp_path):
    """Resuming, evaluation, and a SavedModel that gets the records' own values."""
    folder, (gap, _) = plain
    _, again = train(folder, "FrameLevelLogisticModel", *FRAMES)
    assert "already done" in again
    assert "input statistics" not in again
    config, model, _ = load_run(str(folder / "run"), "--train_dir")
    assert config.model.arguments == {"input_norm": "standardize"}
    assert np.abs(model.dequantize.standardize.mean.numpy()).max() > 0.1
    for name in ("input_statistics.npz", "checkpoints"):  # what only training reads
        (folder / "run" / name).rename(folder / name)
    ended = run_command(
        "eval", f"--train_dir={folder}/run", f"--eval_data_pattern={folder}/validate.tfrecord"
    )
    assert ended.code == 0, ended.err
    assert read_json(str(folder / "run/eval/metrics.json"))["gap"] == pytest.approx(gap, abs=1e-4)
    exported = run_command("export", f"--train_dir={folder}/run", f"--out_dir={tmp_path}")
    assert exported.code == 0, exported.err
    signatures = tf.saved_model.load(str(tmp_path / "saved_model")).signatures
    records = list(tf.data.TFRecordDataset(f"{folder}/validate.tfrecord").take(5))
    found = signatures["records"](example_bytes=tf.stack(records))
    frames = np.zeros((5, 6, D), np.float32)
    lengths = []
    for row, record in zip(frames, records):
        parsed = tf.train.SequenceExample.FromString(record.numpy())
        steps = parsed.feature_lists.feature_list["own"].feature
        row[: len(steps)] = [step.float_list.value for step in steps]
        lengths.append(len(steps))
    given = {"frames": tf.constant(frames), "num_frames": tf.constant(lengths)}
    for answer in (
        signatures["arrays"](**given)["predictions"],
        model(given, training=False).numpy().max(1, keepdims=True),
    ):
        best = np.asarray(answer)[:, 0]
        np.testing.assert_allclose(best, found["predictions"][:, 0], atol=2e-3)
