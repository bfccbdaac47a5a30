"""A user's mistakes, at the command line: one clear message, no traceback, exit code 2, nothing half-written."""

import os
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run(script, *arguments):
    return subprocess.run(
        [sys.executable, os.path.join(ROOT, script), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


def refused(script, *arguments):
    """Run a script that must refuse; return its message."""
    done = run(script, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: "), done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def trained(small_data, tmp_path_factory):
    """A small finished run on video-level data."""
    folder = str(tmp_path_factory.mktemp("runs") / "run")
    done = run(
        "train.py",
        "--model=LogisticModel",
        f"--train_data_pattern={small_data.pattern('train', 'video')}",
        f"--eval_data_pattern={small_data.pattern('validate', 'video')}",
        f"--train_dir={folder}",
        "--batch_size=50",
        "--num_epochs=2",
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_pattern_without_a_match_names_the_nearest_folder(small_data):
    message = refused(
        "train.py", f"--train_data_pattern={small_data.folder}/video/nothing/*.tfrecord"
    )
    assert f"{small_data.folder}/video" in message
    assert "--train_data_pattern" in message


def test_frame_level_file_for_a_video_level_model(small_data, tmp_path):
    message = refused(
        "train.py",
        f"--train_data_pattern={small_data.pattern('train', 'frame')}",
        f"--train_dir={tmp_path}/r",
    )
    assert "frame-level" in message
    assert "FrameLevelLogisticModel" in message
    assert not os.path.exists(f"{tmp_path}/r")


def test_video_level_file_for_a_frame_level_model(small_data):
    message = refused(
        "train.py",
        "--model=AttnVLAD",
        f"--train_data_pattern={small_data.pattern('train', 'video')}",
    )
    assert "video-level" in message
    assert "MoeModel" in message


def test_unknown_model_and_option():
    assert "AttnVLAD" in refused("train.py", "--model=AttnVlda")
    assert "num_mixtures" in refused(
        "train.py", "--model=MoeModel", "--model_option=mixtures=3", "--train_data_pattern=x"
    )


def test_flag_of_another_model(small_data):
    message = refused(
        "train.py", "--lstm_cells=4", f"--train_data_pattern={small_data.pattern('train', 'video')}"
    )
    assert "--lstm_cells is not for --model=LogisticModel" in message


def test_wrong_feature_name_and_size(small_data):
    pattern = f"--train_data_pattern={small_data.pattern('train', 'video')}"
    message = refused("train.py", pattern, "--feature_names=rgb")
    assert "mean_rgb (32)" in message
    assert "mean_audio (8)" in message
    assert "32,8" in refused("train.py", pattern, "--feature_sizes=1024,128")


def test_label_beyond_the_classes(small_data, tmp_path):
    message = refused(
        "train.py",
        f"--train_data_pattern={small_data.pattern('train', 'video')}",
        "--num_classes=5",
        "--batch_size=50",
        f"--train_dir={tmp_path}/r",
    )
    assert "--num_classes" in message
    assert "5 classes" in message


def test_not_a_tfrecord(tmp_path):
    (tmp_path / "x.tfrecord").write_text("these are not the records you are looking for")
    assert "not a TFRecord" in refused("train.py", f"--train_data_pattern={tmp_path}/x.tfrecord")


def test_unwritable_outputs(small_data, trained, tmp_path):
    (tmp_path / "file").write_text("")
    pattern = small_data.pattern("train", "video")
    assert "--train_dir" in refused(
        "train.py", f"--train_data_pattern={pattern}", f"--train_dir={tmp_path}/file/run"
    )
    message = refused(
        "inference.py",
        f"--train_dir={trained}",
        f"--input_data_pattern={pattern}",
        f"--output_file={tmp_path}/file/out.csv",
    )
    assert "--output_file" in message


def test_tpu_with_a_local_path(small_data, monkeypatch):
    monkeypatch.setenv("TPU_NAME", "elsewhere")
    message = refused(
        "train.py", "--strategy=tpu", f"--train_data_pattern={small_data.pattern('train', 'video')}"
    )
    assert "gs://" in message


def test_flags_that_contradict_the_run(small_data, trained):
    message = refused(
        "eval.py", f"--train_dir={trained}", "--model=MoeModel", "--feature_names=mean_rgb"
    )
    assert "LogisticModel" in message
    assert "mean_audio" in message
    message = refused(
        "train.py",
        "--model=LogisticModel",
        f"--train_data_pattern={small_data.pattern('train', 'video')}",
        f"--eval_data_pattern={small_data.pattern('validate', 'video')}",
        f"--train_dir={trained}",
        "--batch_size=25",
        "--num_epochs=2",
    )
    assert "recipe.batch_size: the run has 50, the flags say 25" in message


def test_missing_run(tmp_path):
    assert "does not exist" in refused(
        "eval.py", f"--train_dir={tmp_path}/none", "--eval_data_pattern=x"
    )
    assert "--train_dir" in refused("eval.py")


def test_evaluation_refuses_a_broken_record_and_writes_nothing(small_data, trained, tmp_path):
    with open(os.path.join(small_data.folder, "video", "validate0000.tfrecord"), "rb") as f:
        data = bytearray(f.read())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "broken.tfrecord").write_bytes(data)
    pattern = f"{tmp_path}/broken.tfrecord"
    message = refused(
        "eval.py",
        f"--train_dir={trained}",
        f"--eval_data_pattern={pattern}",
        f"--output_dir={tmp_path}/eval",
    )
    assert "broken.tfrecord" in message
    assert "--max_bad_records" in message
    assert "at byte" in message
    assert not os.path.exists(f"{tmp_path}/eval")
    message = refused(
        "inference.py",
        f"--train_dir={trained}",
        f"--input_data_pattern={pattern}",
        f"--output_file={tmp_path}/s.csv",
    )
    assert "--max_bad_records" in message
    assert not os.path.exists(f"{tmp_path}/s.csv")
    allowed = run(
        "eval.py",
        f"--train_dir={trained}",
        f"--eval_data_pattern={pattern}",
        "--max_bad_records=1",
        f"--output_dir={tmp_path}/eval",
    )
    assert allowed.returncode == 0
    assert "skipped 1 broken" in allowed.stdout


def test_top_k_above_the_classes_is_clamped(small_data, trained, tmp_path):
    out = f"{tmp_path}/s.csv"
    pattern = small_data.pattern("test", "video")
    done = run(
        "inference.py",
        f"--train_dir={trained}",
        f"--input_data_pattern={pattern}",
        f"--output_file={out}",
        "--top_k=500",
    )
    assert done.returncode == 0, done.stderr
    lines = open(out).read().splitlines()
    assert lines[0] == "VideoId,LabelConfidencePairs"
    assert len(lines) == 41
    assert all(len(line.split(",")[1].split()) == 24 for line in lines[1:])
