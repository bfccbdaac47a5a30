"""Child processes: measured, their output kept, their signals passed on, and never left behind."""

import os
import subprocess
import sys

import pytest

from yt8m.process import child_process


def test_a_process_is_measured_and_its_output_kept(tmp_path):
    lines = []
    code = "import sys; x = b'x' * 50_000_000; print('hello'); sys.exit(5)"
    log = tmp_path / "log" / "a.log"
    ended = child_process.run([sys.executable, "-c", code], str(log), lines.append)
    assert ended.code == 5
    assert lines == ["hello"]
    assert log.read_text() == "hello\n"
    assert ended.seconds > 0
    assert ended.cpu_seconds > 0
    assert ended.peak_bytes > 50_000_000


def test_a_process_without_a_log_writes_to_the_same_output(capfd):
    ended = child_process.run([sys.executable, "-c", "print('hello')"])
    assert (ended.code, capfd.readouterr().out) == (0, "hello\n")


def test_a_signal_is_passed_on_and_reported(tmp_path):
    """A child that is still importing, or evaluating, saves nothing and is ended by SIGTERM."""
    child = "import time; print('up', flush=True); time.sleep(60)"
    code = (
        "import os, signal, sys; from yt8m.process import child_process\n"
        "stop = lambda _: os.kill(os.getpid(), signal.SIGTERM)\n"
        f"ended = child_process.run([sys.executable, '-c', {child!r}], {str(tmp_path / 'log')!r},"
        " stop)\n"
        "print(ended.code, ended.stopped)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)
    assert done.stdout == "143 15\n", done.stderr


def test_no_process_goes_on_behind_a_closed_pipe(tmp_path):
    pids = []

    def closed(line):
        pids.append(int(line))
        raise BrokenPipeError

    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with pytest.raises(BrokenPipeError):
        child_process.run([sys.executable, "-c", code], str(tmp_path / "a.log"), closed)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
