"""SIGTERM and Ctrl-C end every command at once, with 128 + n and a last line that says what stands.

What they leave of an output is tested in test_faults.py; training and prediction, which save what
is done, in tests/training and tests/submission.
"""

import os
import signal
import subprocess
import sys

import pytest

from tests.support.commands import run_command
from yt8m import cli

# What a process does with a signal unless its parent has it ignored, as `nohup` and shells do.
USUAL = {
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGINT: signal.default_int_handler,
    signal.SIGHUP: signal.SIG_DFL,
}
ENDINGS = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGHUP: 129}


@pytest.fixture(autouse=True)
def _heeded():
    """Heed the signals even if the tests run in the background, where some are ignored."""
    before = {number: signal.signal(number, usual) for number, usual in USUAL.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDINGS)
def test_a_watching_evaluation_ends(number, small_data, monkeypatch, tmp_path):
    slept = []

    def sleep(_):
        slept.append(1)
        assert len(slept) < 3, "the signal was not heeded"
        signal.raise_signal(number)

    monkeypatch.setattr("time.sleep", sleep)
    data = f"--eval_data_pattern={small_data.pattern('validate', 'video')}"
    ended = run_command("eval", f"--train_dir={tmp_path}", "--watch", data)
    assert ended.code == ENDINGS[number], ended.err
    assert "waiting for the first model" in ended.out
    last = ended.err.strip().splitlines()[-1]
    assert last == f"ended by {signal.Signals(number).name}: {cli._STANDS['eval']}"


@pytest.mark.parametrize("name", ["predict", "fuse", "convert", "download", "papers", "eval"])
@pytest.mark.parametrize("number", ENDINGS)
def test_every_command_ends_alike(name, number, monkeypatch):
    """The signal comes as soon as the command's own code begins."""
    module, _ = cli.COMMANDS[name]
    command = getattr(__import__(module, fromlist=["COMMAND"]), "COMMAND", None)

    def begins(*_):
        signal.raise_signal(number)
        pytest.fail("the signal came too late")

    if command is None:
        monkeypatch.setattr(f"{module}.main", begins)
    else:
        monkeypatch.setattr(type(command), "run", begins)
    before = signal.getsignal(number)
    ended = run_command(name)
    assert ended.code == ENDINGS[number]
    stands = cli._STANDS.get(name, cli.guard.STANDS)
    assert ended.err.strip().splitlines()[-1] == (
        f"ended by {signal.Signals(number).name}: {stands}"
    )
    assert signal.getsignal(number) == before


def test_a_process_that_waits_ends_with_143(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "yt8m", "eval", f"--train_dir={tmp_path}", "--watch",
         "--eval_data_pattern=none"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert "waiting" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 143, error
    assert error.strip().splitlines()[-1].startswith("ended by SIGTERM: ")
    assert "Traceback" not in error


def test_a_closed_terminal_ends_a_process_and_nohup_keeps_it(tmp_path):
    """The process prints to a terminal that is gone by then."""
    program = (
        "import os, signal, sys, time\n"
        "from yt8m.process import guard\n"
        "from yt8m.process.answered_signals import SIGNALS\n"
        "def main():\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(float(sys.argv[1]))\n"
        "    print('lived', flush=True)\n"
        "sys.exit(guard.guarded(main))\n"
    )
    for ignored, seconds, code in ((False, "60", 129), (True, "0.5", 0)):
        master, terminal = os.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", program, seconds],
            stdout=terminal, stderr=terminal, stdin=subprocess.DEVNULL,
            preexec_fn=(lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) if ignored else None,
        )  # fmt: skip
        os.close(terminal)
        try:
            assert b"ready" in os.read(master, 100)
            if not ignored:
                os.close(master)
            process.send_signal(signal.SIGHUP)
            assert process.wait(timeout=30) == code
        finally:
            process.kill()
            if ignored:
                os.close(master)
