"""--model=PmoeModel as processes: killed within a group, resumed, evaluated, and fused."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.support.commands import run_command
from yt8m.submission.score_files import ScoreFile

pytestmark = pytest.mark.slow  # a minute and more: each run is a process that starts TensorFlow
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def command(data, train_dir, *more):
    return [
        sys.executable,
        os.path.join(ROOT, "train.py"),
        "--model=PmoeModel",
        f"--train_data_pattern={data.pattern('train', 'video')}",
        f"--eval_data_pattern={data.pattern('validate', 'video')}",
        f"--train_dir={train_dir}",
        "--batch_size=20",
        "--num_epochs=40",
        "--model_option=num_mixtures=20",
        "--model_option=group_size=4",
        *more,
    ]


def run(name, *flags):
    """Run a command that is not to be killed, which needs no process of its own."""
    ended = run_command(name, *flags)
    assert ended.code == 0, ended.out + ended.err
    return ended.out


def events(train_dir, name):
    path = os.path.join(train_dir, "metrics.jsonl")
    if not os.path.exists(path):
        return []
    with open(path) as f:
        lines = [json.loads(line) for line in f if line.endswith("\n")]
    return [line for line in lines if line["event"] == name]


def wait_for(process, condition):
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if condition():
            return
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.05)
    raise AssertionError("the run did not get going in three minutes")


def start(data, train_dir, *more):
    more = ("--progress_seconds=0.05", "--export_model_steps=100", *more)
    return subprocess.Popen(
        command(data, train_dir, *more),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def disturbed(small_data, tmp_path_factory):
    """A run that was killed within its second group, stopped, and completed by the same command."""
    folder = str(tmp_path_factory.mktemp("runs") / "200")
    process = start(small_data, folder)
    checkpoint = os.path.join(folder, "groups", "0001.blocks.checkpoint")
    wait_for(process, lambda: os.path.exists(checkpoint))
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = [e["group"] for e in events(folder, "group")]
    process = start(small_data, folder)
    wait_for(process, lambda: events(folder, "resumed"))
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 143, output
    again = subprocess.run(command(small_data, folder), cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 0, again.stdout + again.stderr
    assert before == [0]
    assert [e["group"] for e in events(folder, "group")] == [0, 1, 2]
    return folder


def test_killed_it_ends_like_one_that_was_not(small_data, disturbed, tmp_path):
    folder = str(tmp_path / "whole")
    run("train", *command(small_data, folder)[2:])
    ours, theirs = (
        json.loads(pathlib.Path(f, "best", "metrics.json").read_text()) for f in (disturbed, folder)
    )
    assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-6)
    assert ours["gap"] == pytest.approx(theirs["gap"], abs=1e-6)
    shown = run("eval", f"--train_dir={disturbed}")
    assert f"{ours['gap']:.6f}" in shown


def test_two_hundred_and_a_thousand(small_data, disturbed, tmp_path):
    """More mixtures for the first labels: their scores are averaged, the others stay.

    Source: docs/sources.md#parallel-mixture.
    """
    more = str(tmp_path / "1000")
    options = (
        "--model_option=num_mixtures=30",
        "--model_option=num_labels=5",
        "--model_option=group_size=3",
        "--num_epochs=3",
    )
    run("train", *command(small_data, more, *options)[2:])
    scores = [str(tmp_path / name) for name in ("scores-200", "scores-1000", "fused")]
    for train_dir, folder in zip((disturbed, more), scores):
        pattern = f"--input_data_pattern={small_data.pattern('test', 'video')}"
        run("predict", f"--train_dir={train_dir}", pattern, f"--output_scores={folder}")
    assert ScoreFile(scores[1]).meta["covered_classes"] == [0, 1, 2, 3, 4]
    assert "covered_classes" not in ScoreFile(scores[0]).meta
    run(
        "fuse",
        f"--inputs={scores[0]},{scores[1]}",
        "--method=average",
        f"--output_scores={scores[2]}",
    )
    many, few, fused = (np.asarray(ScoreFile(folder).scores) for folder in scores)
    assert [ScoreFile(folder).ids for folder in scores[1:]] == [ScoreFile(scores[0]).ids] * 2
    assert np.all(few[:, 5:] == 0)
    np.testing.assert_allclose(fused[:, :5], (many[:, :5] + few[:, :5]) / 2, atol=1e-6)
    np.testing.assert_allclose(fused[:, 5:], many[:, 5:], atol=1e-6)
