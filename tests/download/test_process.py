"""A download is killed, interrupted, or done by several processes at once."""

import random
import signal
import subprocess
import sys
import time

import pytest

from tests.support.mirror import Mirror

NAMES = ["aa", "aA", "Z9", "9z"]
SIZE = 1 << 20


@pytest.fixture
def slow_mirror():
    """A server of four files of 1 MB, which take at least 1.3 seconds each."""
    made = Mirror(NAMES, SIZE)
    made.pause = 0.02
    yield made
    made.close()


def heed_interrupts():
    """Undo what a shell does to the processes that it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def start(slow_mirror, tmp_path):
    """Return a function that starts a download in a process; no test leaves one running."""
    started = []

    def run(*arguments):
        command = [sys.executable, "-m", "yt8m", "download", "--share=1", "--parallel=2"]
        command += [f"--base_url={slow_mirror.url}", f"--out_dir={tmp_path / 'data'}", *arguments]
        started.append(
            subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                preexec_fn=heed_interrupts,
            )
        )
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def partial_bytes(folder):
    return {p.name.partition(".")[0]: p.stat().st_size for p in folder.glob("*.partial")}


def assert_complete(mirror, folder):
    expected = sorted(content for path, content in mirror.files.items() if "tfrecord" in path)
    found = sorted(path.read_bytes() for path in folder.glob("train*"))
    assert [len(content) for content in found] == [len(content) for content in expected]
    assert found == expected


@pytest.mark.parametrize("after", [100_000, 700_000])
def test_after_a_kill_no_byte_is_requested_twice(slow_mirror, start, tmp_path, after):
    folder = tmp_path / "data"
    killed = start()
    wait_for(lambda: any(size > after for size in partial_bytes(folder).values()))
    killed.kill()
    killed.wait()
    kept = partial_bytes(folder)
    assert len(kept) == 2
    wait_for(lambda: len(slow_mirror.gets()) == 2)  # the server has noticed
    slow_mirror.pause = 0.0
    resumed = start()
    out, err = resumed.communicate(timeout=60)
    assert resumed.returncode == 0, err
    assert_complete(slow_mirror, folder)
    again = slow_mirror.gets()[2:]
    assert sorted(r.start for r in again) == sorted([0, 0, *kept.values()])
    assert sum(r.sent for r in again) == 4 * (SIZE + 36) - sum(kept.values())
    assert "0 of 4 files are complete" in out


def test_an_interrupt_says_how_to_resume(slow_mirror, start, tmp_path):
    folder = tmp_path / "data"
    process = start()
    wait_for(lambda: any(size > 100_000 for size in partial_bytes(folder).values()))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "the same command goes on from here" in err
    assert "Traceback" not in err
    slow_mirror.pause = 0.0
    resumed = start()
    assert resumed.wait(timeout=60) == 0
    assert_complete(slow_mirror, folder)


def test_processes_in_one_folder_share_the_work(slow_mirror, start, tmp_path):
    together = [start() for _ in range(3)]
    for process in together:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    assert_complete(slow_mirror, tmp_path / "data")
    assert sum(r.sent for r in slow_mirror.gets()) == 4 * (SIZE + 36)


@pytest.mark.slow
def test_without_a_terminal_a_line_appears_every_few_seconds(slow_mirror, start):
    slow_mirror.pause = 0.15  # ten seconds for each file
    process = start()
    lines = []
    while sum("left" in line for line in lines) < 1:
        lines.append(process.stdout.readline())
        assert lines[-1], lines
    assert "0/4 files" in lines[-1]
    assert "MB/s" in lines[-1]
    assert "\r" not in "".join(lines)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_kills_at_any_moment_lose_nothing(slow_mirror, start, tmp_path, seed):
    slow_mirror.pause = 0.01
    rng = random.Random(seed)
    running = [start(), start()]
    kills = 0
    while all(process.poll() is None for process in running):
        time.sleep(rng.uniform(0.1, 0.8))
        place = rng.randrange(2)
        if running[place].poll() is None:
            running[place].kill()
            running[place].wait()
            running[place] = start()
            kills += 1
    assert kills
    for process in running:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert_complete(slow_mirror, tmp_path / "data")
    # What was on its way at a kill is sent again, and nothing else.
    assert sum(r.sent for r in slow_mirror.gets()) < 4 * (SIZE + 36) + kills * (1 << 19)
