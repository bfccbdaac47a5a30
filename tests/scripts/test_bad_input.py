"""A user's mistake gives one clear message, no traceback, exit code 2, nothing half-written.

All but two run within this process; the two show that the scripts end as their commands do.
"""

import os
import pathlib
import subprocess
import sys

import pytest

from tests.support.commands import refused, run_command

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def trained(small_data, tmp_path_factory):
    """A small finished run on video-level data."""
    folder = str(tmp_path_factory.mktemp("runs") / "run")
    done = run_command(
        "train",
        "--model=LogisticModel",
        f"--train_data_pattern={small_data.pattern('train', 'video')}",
        f"--eval_data_pattern={small_data.pattern('validate', 'video')}",
        f"--train_dir={folder}",
        "--batch_size=50",
        "--num_epochs=2",
    )
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def place(small_data, tmp_path):
    """Fills in what the tables below call {video}, {frame}, {data} and {tmp}."""
    (tmp_path / "file").write_text("")
    (tmp_path / "x.tfrecord").write_text("these are not the records you are looking for")

    def fill(text):
        return text.format(
            video=small_data.pattern("train", "video"),
            frame=small_data.pattern("train", "frame"),
            validate=small_data.pattern("validate", "video"),
            data=small_data.folder,
            tmp=tmp_path,
        )

    return fill


VIDEO, FRAME = "--train_data_pattern={video}", "--train_data_pattern={frame}"


@pytest.mark.parametrize(
    ("flags", "messages"),
    [
        (
            ["--train_data_pattern={data}/video/nothing/*.tfrecord"],
            ["{data}/video", "--train_data_pattern"],
        ),
        ([FRAME, "--train_dir={tmp}/r"], ["frame-level", "FrameLevelLogisticModel"]),
        (["--model=AttnVLAD", VIDEO], ["video-level", "MoeModel"]),
        (["--model=AttnVlda"], ["AttnVLAD"]),
        (
            ["--model=MoeModel", "--model_option=mixtures=3", "--train_data_pattern=x"],
            ["num_mixtures"],
        ),
        (["--lstm_cells=4", VIDEO], ["--lstm_cells does not apply to --model=LogisticModel"]),
        ([VIDEO, "--feature_names=rgb"], ["mean_rgb (32)", "mean_audio (8)"]),
        ([VIDEO, "--feature_sizes=1024,128"], ["32,8"]),
        (
            [VIDEO, "--num_classes=5", "--batch_size=50", "--train_dir={tmp}/r"],
            ["--num_classes", "5 classes"],
        ),
        (["--train_data_pattern={tmp}/x.tfrecord"], ["not a TFRecord"]),
        ([VIDEO, "--train_dir={tmp}/file/run"], ["--train_dir"]),
        ([VIDEO, "--max_experts=5"], ["--max_experts: only for --trainer=alternating"]),
        ([VIDEO, "--weight_decay=0.1"], ["applies only to AdamW and LAMB", "optimizer is Adam;"]),
        ([VIDEO, "--seed=-1"], ["--seed=-1: expected a whole number of at least 0"]),
        ([VIDEO, "stray"], ["unexpected arguments ['stray']"]),
    ],
)
def test_training_refuses(place, tmp_path, flags, messages):
    message = refused("train", *map(place, flags))
    assert message.startswith("error: ")
    assert all(place(part) in message for part in messages), message
    assert not (tmp_path / "r" / "done").exists()


def test_a_refused_model_leaves_no_folder(place, tmp_path):
    refused("train", place(FRAME), f"--train_dir={tmp_path}/r")
    assert not (tmp_path / "r").exists()


def test_a_tpu_of_another_machine(place, monkeypatch):
    monkeypatch.setenv("TPU_NAME", "elsewhere")
    message = refused("train", "--strategy=tpu", place(VIDEO))
    assert "TPU_NAME=elsewhere names a TPU of another machine" in message


@pytest.mark.parametrize(
    ("command", "flags", "messages"),
    [
        (
            "eval",
            ["--train_dir={run}", "--model=MoeModel", "--feature_names=mean_rgb"],
            ["LogisticModel", "mean_audio"],
        ),
        ("eval", ["--train_dir={run}", "--lstm_cells=3"], ["no such argument in LogisticModel"]),
        (
            "train",
            [
                "--model=LogisticModel",
                VIDEO,
                "--eval_data_pattern={validate}",
                "--train_dir={run}",
                "--batch_size=25",
                "--num_epochs=2",
            ],
            ["recipe.batch_size: the run has 50, the flags say 25"],
        ),
        (
            "predict",
            [
                "--train_dir={run}",
                "--input_data_pattern={video}",
                "--output_file={tmp}/file/out.csv",
            ],
            ["--output_file"],
        ),
        ("predict", ["--train_dir={run}"], ["nothing to write"]),
        ("predict", ["--output_file=x"], ["either --train_dir", "--input_model_tgz"]),
        ("eval", ["--train_dir={tmp}/none", "--eval_data_pattern=x"], ["does not exist"]),
        ("eval", [], ["--train_dir"]),
    ],
)
def test_a_trained_run_refuses(place, trained, command, flags, messages):
    message = refused(command, *(place(flag.replace("{run}", trained)) for flag in flags))
    assert all(part in message for part in messages), message


def test_evaluation_refuses_a_broken_record_and_writes_nothing(small_data, trained, tmp_path):
    source = os.path.join(small_data.folder, "video", "validate0000.tfrecord")
    data = bytearray(pathlib.Path(source).read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "broken.tfrecord").write_bytes(data)
    pattern = f"{tmp_path}/broken.tfrecord"
    evaluation = [
        f"--train_dir={trained}",
        f"--eval_data_pattern={pattern}",
        f"--output_dir={tmp_path}/eval",
    ]
    message = refused("eval", *evaluation)
    assert "broken.tfrecord" in message
    assert "--max_bad_records" in message
    assert "at byte" in message
    assert not os.path.exists(f"{tmp_path}/eval")
    message = refused(
        "predict",
        f"--train_dir={trained}",
        f"--input_data_pattern={pattern}",
        f"--output_file={tmp_path}/s.csv",
    )
    assert "--max_bad_records" in message
    assert not os.path.exists(f"{tmp_path}/s.csv")
    allowed = run_command("eval", *evaluation, "--max_bad_records=1")
    assert allowed.code == 0
    assert "skipped 1 broken" in allowed.out


def test_top_k_above_the_classes_is_clamped(small_data, trained, tmp_path):
    out = tmp_path / "s.csv"
    done = run_command(
        "predict",
        f"--train_dir={trained}",
        f"--input_data_pattern={small_data.pattern('test', 'video')}",
        f"--output_file={out}",
        "--top_k=500",
    )
    assert done.code == 0, done.err
    lines = out.read_text().splitlines()
    assert lines[0] == "VideoId,LabelConfidencePairs"
    assert len(lines) == 41
    assert all(len(line.split(",")[1].split()) == 24 for line in lines[1:])


@pytest.mark.parametrize(
    ("script", "flags"),
    [("train.py", ["--train_data_pattern=nothing*"]), ("eval.py", ["--train_dir=/nowhere"])],
)
def test_as_a_process_a_mistake_ends_with_code_2_and_no_traceback(script, flags):
    done = subprocess.run(
        [sys.executable, script, *flags], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("error: "), done.stderr
    assert "Traceback" not in done.stderr
