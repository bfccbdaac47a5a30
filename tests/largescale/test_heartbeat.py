"""A task may take any time while it goes on; a worker that is stuck ends itself."""

import subprocess
import sys

from yt8m.largescale.executors import progress
from yt8m.largescale.tasks.prefetch import prefetched

TASK = """
import time
from yt8m.largescale.executors.heartbeat import ends_without_progress, progress
heard = []
with ends_without_progress(1.0, lambda: heard.append(1)):
    for _ in range(30):
        time.sleep(0.1)
        {each}
print(len(heard))
"""


def run(each):
    return subprocess.run(
        [sys.executable, "-c", TASK.format(each=each)], capture_output=True, text=True, timeout=60
    )


def test_a_task_that_goes_on_is_not_ended_and_its_driver_hears_of_it():
    done = run("progress()")
    assert done.returncode == 0, done.stderr
    assert 5 < int(done.stdout) <= 24  # at most eight times within a limit


def test_a_task_that_is_stuck_ends_its_process_and_shows_where():
    done = run("pass")
    assert done.returncode == 1
    assert "Timeout (0:00:01)" in done.stderr
    assert 'File "<string>", line 7' in done.stderr


def test_without_a_limit_progress_is_nothing():
    progress()


def test_each_prefetched_item_is_progress(noted):
    assert list(prefetched(range(5))) == [0, 1, 2, 3, 4]
    assert len(noted) == 5
