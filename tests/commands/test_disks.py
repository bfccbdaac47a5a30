"""A disk that is full or read-only: one line names the place, and nothing is left half-written.

TensorFlow's own writers (checkpoints, summaries, records, SavedModels) and h5py write beside the
calls that `tests.support.file_seam` sees, so that only a real file system can fail them.
"""

import os
import shutil

import h5py
import numpy as np
import pytest
import tensorflow as tf

from tests.support.commands import refused, run_command
from tests.support.disk import small_disk
from tests.support.outputs import commands
from tests.support.runs import events, losses_of
from yt8m import files
from yt8m.submission.kaggle_videos import CsvWriter
from yt8m.submission.scores.arrays import ArrayWriter
from yt8m.training.step import TrainStep

KILOBYTE = 1 << 10


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", 8) as mounted:
        yield mounted


def training(data, folder):
    return (
        "train",
        "--model=LogisticModel",
        f"--train_data_pattern={data.pattern('train', 'video')}",
        f"--eval_data_pattern={data.pattern('validate', 'video')}",
        f"--train_dir={folder}",
        "--batch_size=50",
        "--num_epochs=2",
        "--export_model_steps=4",
    )


@pytest.fixture(scope="module")
def undisturbed(small_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    ended = run_command(*training(small_data, folder))
    assert ended.code == 0, ended.err
    return folder


def check_whole(folder):
    """Read every file that has its final name."""
    for above, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(above, name)
            if name.endswith(".weights.h5"):
                with h5py.File(path) as weights:
                    weights.visititems(lambda _, item: getattr(item, "shape", None))
            elif name.endswith(".json"):
                files.read_json(path)


def fill_before(owner, name, when, disk, left, monkeypatch):
    """Fill the disk before the first call of a method for which `when` holds."""
    original, filled = getattr(owner, name), []

    def called(self, *arguments, **more):
        if not filled and when(self):
            filled.append(True)
            disk.fill(left)
        return original(self, *arguments, **more)

    monkeypatch.setattr(owner, name, called)


@pytest.mark.parametrize(
    "left", [0, pytest.param(8 * KILOBYTE, marks=pytest.mark.slow), 28 * KILOBYTE]
)
def test_training_on_a_disk_that_fills_up(left, small_data, undisturbed, disk, monkeypatch):
    run = disk.path / "run"
    fill_before(TrainStep, "__call__", lambda step: step.done() >= 5, disk, left, monkeypatch)
    message = refused(*training(small_data, run))
    last = message.strip().splitlines()[-1]
    assert last.startswith("error: "), message
    assert str(run) in last
    assert "No space left on device" in last
    assert "Traceback" not in message
    check_whole(run)
    monkeypatch.undo()
    disk.empty()
    ended = run_command(*training(small_data, run))
    assert ended.code == 0, ended.err
    assert events(run, "resumed")[-1]["step"] >= 4  # The checkpoints of before are intact.
    np.testing.assert_array_equal(losses_of(run), losses_of(undisturbed))
    assert not [name for name in os.listdir(run / "checkpoints") if "temp" in name]


@pytest.mark.parametrize(
    ("writer", "flag"), [(CsvWriter, "--output_file"), (ArrayWriter, "--output_scores")]
)
def test_predicting_on_a_disk_that_fills_up(writer, flag, made, small_data, disk, monkeypatch):
    def predict(out):
        pattern = small_data.pattern("validate", "video")
        return ("predict", f"--train_dir={made}/run", f"--input_data_pattern={pattern}",
                f"{flag}={out}")  # fmt: skip

    fill_before(writer, "write", lambda _: True, disk, 0, monkeypatch)
    message = refused(*predict(disk.path / "out"))
    assert f"{disk.path}/out" in message.strip().splitlines()[-1]
    assert "No space left on device" in message
    assert not os.path.exists(disk.path / "out")
    monkeypatch.undo()
    disk.empty()
    ended = run_command(*predict(disk.path / "out"))
    assert ended.code == 0, ended.err
    assert set(os.listdir(disk.path)) == {"out"}


def test_converting_on_a_disk_that_fills_up(small_data, disk, tmp_path, monkeypatch):
    def convert(out):
        pattern = small_data.pattern("train", "video")
        return ("convert", pattern, f"--out_dir={out}", "--level=video", "--shards=3")

    def shards(out):
        return {path.name: path.read_bytes() for path in out.glob("*.tfrecord")}

    assert run_command(*convert(tmp_path / "whole")).code == 0
    out = disk.path / "out"

    def writes(writer, record):
        if shards(out):
            disk.fill()
        return write(writer, record)

    write = tf.io.TFRecordWriter.write
    monkeypatch.setattr(tf.io.TFRecordWriter, "write", writes)
    message = refused(*convert(out))
    assert str(out) in message.strip().splitlines()[-1]
    assert "No space left on device" in message
    before = shards(out)
    assert 0 < len(before) < len(shards(tmp_path / "whole"))
    monkeypatch.undo()
    disk.empty()
    ended = run_command(*convert(out))
    assert ended.code == 0, ended.err
    assert shards(out) == shards(tmp_path / "whole")
    assert not list(out.glob("*.tmp"))


def test_each_command_names_a_disk_that_is_read_only(made, small_data, disk):
    shutil.copytree(made / "run", disk.path / "run")
    disk.make_read_only()
    names = commands(made, small_data, disk.path)
    names["convert"] = (
        ("convert", small_data.pattern("train", "video"), f"--out_dir={disk.path}/c"),
        "",
    )
    for name, ((command, *flags), _) in names.items():
        ended = run_command(command, *flags)
        assert ended.code == 2, f"{name}: {ended.out}{ended.err}"
        assert "Traceback" not in ended.err, name
        assert str(disk.path) in ended.err.strip().splitlines()[-1], f"{name}: {ended.err}"
    assert os.listdir(disk.path) == ["run"]
