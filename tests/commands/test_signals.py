"""SIGTERM and Ctrl-C end every command at once, with 128 + n and a last line that says what stands.

What they leave of an output is tested in test_faults.py; training and prediction, which save what
is done, in tests/training and tests/submission.
"""

import signal
import subprocess
import sys

import pytest

from tests.support.commands import run_command
from yt8m import cli

ENDINGS = {signal.SIGTERM: 143, signal.SIGINT: 130}


@pytest.mark.parametrize("number", ENDINGS)
def test_a_watching_evaluation_ends(number, small_data, monkeypatch, tmp_path):
    monkeypatch.setattr("time.sleep", lambda _: signal.raise_signal(number))
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
