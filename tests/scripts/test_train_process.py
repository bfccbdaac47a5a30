"""train.py as a process: killed in mid-epoch, stopped by a signal, resumed by the same command."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow  # about a minute: each run is a process that starts TensorFlow
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def command(data, train_dir, *more):
    return [
        sys.executable,
        os.path.join(ROOT, "train.py"),
        "--model=MoeModel",
        f"--train_data_pattern={data.pattern('train', 'video')}",
        f"--eval_data_pattern={data.pattern('validate', 'video')}",
        f"--train_dir={train_dir}",
        "--batch_size=4",
        "--num_epochs=3",
        "--base_learning_rate=0.01",
        "--export_model_steps=40",
        "--progress_seconds=0.2",
        *more,
    ]


def events(train_dir):
    path = os.path.join(train_dir, "metrics.jsonl")
    if not os.path.exists(path):
        return []
    with open(path) as f:
        return [json.loads(line) for line in f if line.endswith("\n")]


def wait_for(process, train_dir, step):
    """Wait until the run has logged a step beyond `step`, outside a validation."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if any(e["event"] == "train" and e["step"] > step for e in events(train_dir)):
            return
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.05)
    raise AssertionError("the run did not get going in two minutes")


def start(data, train_dir):
    return subprocess.Popen(
        command(data, train_dir),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def best_gap(train_dir):
    with open(os.path.join(train_dir, "best", "metrics.json")) as f:
        return json.load(f)["gap"]


@pytest.fixture(scope="module")
def undisturbed(small_data, tmp_path_factory):
    """The GAP of the run that nobody disturbed."""
    folder = str(tmp_path_factory.mktemp("undisturbed"))
    done = subprocess.run(command(small_data, folder), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return best_gap(folder)


def test_killed_in_mid_epoch_it_goes_on_from_the_checkpoint(small_data, undisturbed, tmp_path):
    folder = str(tmp_path)
    process = start(small_data, folder)
    wait_for(process, folder, 170)  # in the second epoch of 150 steps each
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = subprocess.run(command(small_data, folder), cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 0, again.stdout + again.stderr
    resumed = [e["step"] for e in events(folder) if e["event"] == "resumed"]
    assert len(resumed) == 1
    assert resumed[0] >= 120
    assert best_gap(folder) == pytest.approx(undisturbed, abs=0.01)
    assert os.path.exists(os.path.join(folder, "done"))


def test_asked_to_stop_it_saves_where_it_is(small_data, undisturbed, tmp_path):
    folder = str(tmp_path)
    process = start(small_data, folder)
    wait_for(process, folder, 60)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 143, output
    stopped = [e["step"] for e in events(folder) if e["event"] == "stopped"]
    again = subprocess.run(command(small_data, folder), cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 0, again.stdout + again.stderr
    assert [e["step"] for e in events(folder) if e["event"] == "resumed"] == stopped
    assert best_gap(folder) == pytest.approx(undisturbed, abs=0.01)


@pytest.fixture
def two_workers(small_data, tmp_path):
    """Starts two processes under --strategy=multi_worker, which are killed after the test."""
    import socket

    processes = []

    def begin(*more):
        sockets = [socket.socket() for _ in range(2)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        cluster = {"worker": [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]}
        for s in sockets:
            s.close()
        for index in range(2):
            env = {
                **os.environ,
                "TF_CONFIG": json.dumps(
                    {"cluster": cluster, "task": {"type": "worker", "index": index}}
                ),
            }
            arguments = command(
                small_data, str(tmp_path), "--strategy=multi_worker", "--batch_size=20", *more
            )
            processes.append(
                subprocess.Popen(
                    arguments,
                    cwd=ROOT,
                    env=env,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
        return processes

    yield begin
    for p in processes:
        p.kill()


def test_two_workers_train_one_model(two_workers, tmp_path):
    """They end with the same weights as each other."""
    processes = two_workers("--num_epochs=2")
    outputs = [p.communicate(timeout=150)[0] for p in processes]
    assert [p.returncode for p in processes] == [0, 0], "\n".join(outputs)
    steps = [e["step"] for e in events(str(tmp_path)) if e["event"] == "validation"]
    assert steps == [
        30,
        60,
    ]  # 600 records in batches of 20 over both workers, logged by the chief alone
    assert os.path.exists(os.path.join(str(tmp_path), "best", "model.weights.h5"))


def test_what_two_workers_trained_is_step_1_of_an_alternation(two_workers, small_data, tmp_path):
    """--step1_from takes it; the alternation itself is one process, without TF_CONFIG."""
    model = ("--model=VideoDbofBasic", "--model_option=width=16", "--moe_num_mixtures=2")
    common = (*model, "--batch_size=20", "--num_epochs=1", "--weight_average=0")
    processes = two_workers("--trainer=joint", *common, "--patience=3", "--min_gain=1e-4")
    outputs = [p.communicate(timeout=150)[0] for p in processes]
    assert [p.returncode for p in processes] == [0, 0], "\n".join(outputs)
    whole = str(tmp_path / "whole")
    arguments = command(small_data, whole, *common, "--trainer=alternating")
    arguments += [f"--step1_from={tmp_path}", "--alternation=baseline"]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    assert best_gap(whole) == pytest.approx(best_gap(str(tmp_path)), abs=1e-6)


def test_two_workers_stop_together_when_one_is_asked_to(two_workers, tmp_path):
    processes = two_workers("--num_epochs=500", "--export_model_steps=0")
    wait_for(processes[0], str(tmp_path), 1)
    processes[1].send_signal(signal.SIGTERM)
    outputs = [p.communicate(timeout=60)[0] for p in processes]
    assert [p.returncode for p in processes] == [143, 143], "\n".join(outputs)
    (step,) = [e["step"] for e in events(str(tmp_path)) if e["event"] == "stopped"]
    assert os.path.exists(os.path.join(str(tmp_path), "checkpoints", f"ckpt-{step}.index"))
