"""train.py --trainer=alternating as a process that is killed in each step and run again."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow  # each run is a process that starts TensorFlow
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def command(data, train_dir, *more):
    return [
        sys.executable,
        os.path.join(ROOT, "train.py"),
        "--model=VideoDbofBasic",
        "--trainer=alternating",
        "--model_option=width=16",
        f"--train_data_pattern={data.pattern('train', 'video')}",
        f"--eval_data_pattern={data.pattern('validate', 'video')}",
        f"--train_dir={train_dir}",
        "--batch_size=20",
        "--num_epochs=3",
        "--base_learning_rate=0.01",
        "--weight_average=0",
        "--step2_batch_size=20",
        "--step2_learning_rate=0.01",
        "--step2_max_epochs=4",
        "--max_experts=6",
        "--num_partitions=3",
        "--step3_max_iterations=6",
        "--step3_initial_delta=1e-3",
        "--max_cycles=1",
        *more,
    ]


def iterations(train_dir):
    path = os.path.join(train_dir, "metrics.jsonl")
    if not os.path.exists(path):
        return {}
    with open(path) as f:
        events = [json.loads(line) for line in f if line.endswith("\n")]
    return {(e["name"], e["iteration"]): e["gap"] for e in events if e["event"] == "iteration"}


def kill_when(data, train_dir, reached, *more):
    """Run until `reached()`, then kill -9."""
    log = pathlib.Path(train_dir).with_name("log.txt")
    with log.open("a") as out:
        process = subprocess.Popen(
            command(data, train_dir, *more), cwd=ROOT, stdout=out, stderr=subprocess.STDOUT
        )
    deadline = time.monotonic() + 600
    while not reached():
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="module")
def undisturbed(small_data, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("undisturbed") / "run")
    done = subprocess.run(command(small_data, folder), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_a_run_killed_in_each_step_ends_like_an_undisturbed_one(small_data, undisturbed, tmp_path):
    folder = str(tmp_path / "run")
    kill_when(
        small_data,
        folder,
        lambda: os.path.exists(os.path.join(folder, "step1", "best", "metrics.json")),
    )
    assert not os.path.exists(os.path.join(folder, "step1", "done"))
    kill_when(small_data, folder, lambda: ("cycle1_step2", 2) in iterations(folder))
    kill_when(small_data, folder, lambda: ("cycle1_step3", 2) in iterations(folder))
    assert not os.path.exists(os.path.join(folder, "done"))
    again = subprocess.run(command(small_data, folder), cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "continues after iteration" in again.stdout
    assert iterations(folder) == pytest.approx(iterations(undisturbed), abs=1e-3)


def test_on_ray_it_ends_like_in_one_process(small_data, undisturbed, tmp_path):
    pytest.importorskip("ray")
    folder = str(tmp_path / "run")
    done = subprocess.run(
        command(small_data, folder, "--executor=ray"), cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert iterations(folder) == pytest.approx(iterations(undisturbed), abs=2e-3)
