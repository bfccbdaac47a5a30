"""Ray with real processes: equal digits for any number of workers, and harmless kills."""

import contextlib
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest

pytest.importorskip("ray", reason="Ray is not installed: pip install '.[cluster]'")
HERE = pathlib.Path(__file__).parent


def processes_of(mark):
    """Return the ids of processes whose command line or environment holds `mark`."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if mark.encode() in text and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


@pytest.fixture
def run_driver():
    """Return a function that runs a part of `ray_driver.py`, and end all that it started."""
    work = tempfile.mkdtemp(prefix="yt8m-ray-", dir="/tmp")  # short: Ray's sockets lie below it
    token = pathlib.Path(work, ".ray", "auth_token")
    token.parent.mkdir()
    token.write_text(secrets.token_hex(32))
    token.chmod(0o600)

    env = {
        **os.environ,
        "HOME": work,  # where the token is
        "RAY_TMPDIR": work,
        "RAY_AUTH_MODE": "token",
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE)]),
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    env.pop("RAY_ADDRESS", None)
    env.pop("CUDA_VISIBLE_DEVICES", None)  # Ray numbers the GPUs that are visible

    def run(part, timeout, kill_when_ready=False):
        command = [sys.executable, str(HERE / "ray_driver.py"), part, work]
        if kill_when_ready:
            return killed(command, timeout)
        for _ in range(3):
            done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=timeout)
            if "timed out during startup" not in done.stderr:
                break
            end_all()  # Ray gives a node half a minute to start, which is not what is tested here
        found = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        assert found, done.stdout[-2000:]
        return json.loads(found[0][len("RESULT ") :])

    def killed(command, timeout):
        """Return the processes before the driver is killed, and those left after two minutes.

        Ray's agents check only now and then whether they are still needed.
        """
        with subprocess.Popen(
            command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as driver:
            for _ in range(timeout * 10):
                if os.path.exists(os.path.join(work, "ready")) or driver.poll() is not None:
                    break
                time.sleep(0.1)
            before = processes_of(work)
            driver.kill()
        for _ in range(1200):
            if not processes_of(work):
                break
            time.sleep(0.1)
        return before, processes_of(work)

    def end_all():
        for pid in processes_of(work):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    yield run
    end_all()
    shutil.rmtree(work, ignore_errors=True)


@pytest.mark.slow
def test_the_engine_maps_reduces_in_order_and_ends_what_is_stuck(run_driver):
    got = run_driver("engine", 600)
    assert got["map"] == [[i, i % 5 + i] for i in range(20)]
    ports, beyond = got["listening"]
    assert len(ports) >= 4
    assert not beyond
    assert got["auth"] == "token"
    eights = [f"({' '.join(map(str, range(i, min(i + 8, 70))))})" for i in range(0, 70, 8)]
    assert got["order"] == f"(({' '.join(eights[:8])}) ({eights[8]}))"
    assert got["again"] == 1111  # each task once, the one that hung too
    assert got["long"] == 11  # although each took far longer than the time-out
    assert got["user_error"].startswith("shard 0 is not there")
    assert "Traceback" not in got["user_error"]
    assert "task_timeout=" in got["stuck_always"]
    assert got["stuck_always_seconds"] < 60


@pytest.mark.slow
def test_a_gpu_is_asked_for_and_its_process_stays_warm(run_driver):
    got = run_driver("gpu", 600)
    assert [visible for _, visible in got["who"]] == ["0"] * 6
    # Ray's default is a new process for each task with a GPU.
    assert len({pid for pid, _ in got["who"]}) == 1
    with_gpu = {pid for pid, visible in got["shared"] if visible == "0"}
    without = {pid for pid, visible in got["shared"] if visible == ""}
    assert len(got["shared"]) == 60
    assert with_gpu
    assert without  # processors without one work too
    # Two share the GPU, and two have none; on a busy machine one of them may start too late.
    assert len(with_gpu | without) >= 3
    assert "the cluster has 1 GPUs" in got["too_many"]


@pytest.mark.slow
def test_after_an_error_nothing_of_the_job_is_left_on_a_cluster_that_goes_on(run_driver):
    got = run_driver("closed", 300)
    assert got["error"].startswith("shard 0 is not there")
    assert got["nodes"] == 1
    assert got["before"]
    assert not got["after"]


@pytest.mark.slow
def test_equal_to_the_bit_in_process_and_on_one_and_two_workers(run_driver):
    got = run_driver("equal", 900)
    assert got["equal"] == [[True] * 3, [True] * 3]
    assert got["moved"]
    assert got["examples"][0] == got["examples"][1] == got["examples"][2]
    assert got["examples"][0][:2] == [got["count"]] * 2
    assert 0 < got["examples"][0][2] < got["count"]
    assert got["metrics"] == [got["metrics"][0]] * 3
    assert got["metrics"][0]["num_examples"] == got["count"]


@pytest.mark.slow
def test_a_killed_worker_and_a_killed_node_leave_the_same_result(run_driver):
    got = run_driver("faults", 900)
    assert len(got["listening"][0]) >= 6
    assert not got["listening"][1]
    for name in ("undisturbed", "worker_lost", "node_lost", "after"):
        assert got[name]["examples"] == got["count"], name  # nothing twice, nothing left out
    assert got["undisturbed"] == {**got["undisturbed"], "runs": got["tasks"], "nodes": 2}
    assert got["worker_lost"]["runs"] > got["tasks"]
    assert got["killed_worker"]
    assert got["node_lost"]["runs"] > got["tasks"]
    assert got["killed_node"]
    assert got["after"]["nodes"] == 1
    assert got["worker_equal"]
    assert got["node_equal"]
    assert got["after_equal"]


@pytest.mark.slow
def test_a_killed_driver_leaves_no_process_behind(run_driver):
    before, after = run_driver("wait_to_be_killed", 300, kill_when_ready=True)
    assert len(before) >= 4
    assert not after


@pytest.mark.slow
def test_a_prediction_survives_the_death_of_a_worker(run_driver):
    got = run_driver("spread", 600)
    assert (got["undisturbed"], got["disturbed"], got["killed"]) == (0, 0, 1)
    assert got["undisturbed_csv"] == got["disturbed_csv"]
    assert got["undisturbed_csv"].count("\n") == 1 + sum(20 + s for s in range(12))
    assert got["left"] == []
