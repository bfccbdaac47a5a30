"""Ctrl-C is answered at once, while the process is busy outside of Python, and twice abandons."""

import signal
import subprocess
import sys
import threading
import time

import pytest

from yt8m.process import answered_signals
from yt8m.runs.stop_signal import StopSignal

# The first argument is what the main thread does: "wait", or "compute" in one long call, during
# which Python runs no handler, or "end", the same where nothing is to be saved. The second is how
# long a signal counts as the same press.
PROGRAM = """
import hashlib, sys, time
from yt8m.process import answered_signals
from yt8m.runs.stop_signal import StopSignal
answered_signals._PATIENCE, answered_signals.SAME_PRESS = 0.3, float(sys.argv[2])
answered_signals._LONGEST_CALL = 0.5
if sys.argv[1] == "end":
    with answered_signals.ending():
        print("ready", flush=True)
        hashlib.pbkdf2_hmac("sha256", b"x", b"y", 10**8)
try:
    with StopSignal() as stop:
        stop.doing = "saving step 7"
        print("ready", flush=True)
        if sys.argv[1] == "wait":
            time.sleep(30)
        else:
            hashlib.pbkdf2_hmac("sha256", b"x", b"y", 10**8)
except KeyboardInterrupt:
    print("handled", flush=True)
    sys.exit(130)
"""


@pytest.fixture
def started():
    """Starts the program, and kills it after the test."""
    processes = []

    def start(how, same=0.05):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, how, str(same)], stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def lines(process, count):
    return [process.stdout.readline().strip() for _ in range(count)]


@pytest.mark.parametrize(
    ("number", "again"), [(signal.SIGINT, "press again"), (signal.SIGTERM, "signal again")]
)
def test_the_first_is_answered_and_the_second_abandons(started, number, again):
    process = started("wait")
    process.send_signal(number)
    assert lines(process, 2) == ["", f"saving step 7; {again} to abandon"]
    time.sleep(0.1)  # one that comes at once is the same press
    process.send_signal(number)
    rest = process.stdout.read()
    assert "abandoned" in rest
    assert "handled" in rest
    assert process.wait() == 130


def test_in_a_long_call_both_are_answered_and_the_process_ends(started):
    process = started("compute")
    process.send_signal(signal.SIGINT)
    assert lines(process, 2) == ["", "saving step 7; press again to abandon"]
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert "abandoned" in process.stdout.read()
    assert process.wait() == 130


def test_a_call_that_does_not_end_is_abandoned_at_the_first_signal(started):
    process = started("end")
    time.sleep(0.5)  # the call must have begun
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 143


def test_a_press_that_comes_twice_is_answered_once(started):
    process = started("compute", same=20.0)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    assert lines(process, 2)[1].startswith("saving step 7")
    time.sleep(0.7)
    assert process.poll() is None


def test_what_was_before_is_restored():
    before = [signal.getsignal(number) for number in answered_signals.SIGNALS]
    wakeup = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    with StopSignal() as stop:
        assert signal.getsignal(signal.SIGINT) == stop.note
    assert [signal.getsignal(number) for number in answered_signals.SIGNALS] == before
    assert signal.set_wakeup_fd(wakeup) == wakeup
    assert not [t for t in threading.enumerate() if t.name == "answers to signals"]
