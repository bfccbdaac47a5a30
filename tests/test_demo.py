"""The demo's commands, and how it ends when it is stopped; the demo itself is run by CI."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from tests.support.commands import run_command
from yt8m.commands import demo

ROOT = pathlib.Path(__file__).parents[1]


def test_a_signal_ends_the_demo_and_its_command():
    """Otherwise a training would go on unseen, and Ctrl-C would end in a traceback."""
    # What a shell starts in the background ignores Ctrl-C, and so would this child of it.
    child = (
        "import os, signal, time; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "print(os.getpid(), flush=True); time.sleep(60)"
    )
    code = (
        "import sys; from yt8m.commands import demo; "
        f"sys.exit(demo.run([sys.executable, '-c', {child!r}]))"
    )
    # kill reaches the demo alone, a terminal's Ctrl-C all of its processes.
    for number, of_all in ((signal.SIGTERM, False), (signal.SIGINT, True)):
        running = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd=ROOT,
        )
        pid = int(running.stdout.readline())
        (os.killpg if of_all else os.kill)(running.pid, number)
        assert running.wait(timeout=30) == 128 + number
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_it_ends_with_the_first_command_that_fails(monkeypatch):
    ran = []
    monkeypatch.setattr(demo, "run", lambda command: ran.append(command[3]) or 3 * (len(ran) == 2))
    assert run_command("demo").code == 3
    assert ran == ["synthetic", "train"]


def test_its_commands_are_those_of_yt8m_in_the_folder_that_was_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    ran = []
    monkeypatch.setattr(demo, "run", lambda command: ran.append(command) or 0)
    done = run_command("demo", "--out_dir=x")
    assert done.code == 0
    assert "everything is in x" in done.out
    assert [command[:3] for command in ran] == [[sys.executable, "-m", "yt8m"]] * len(ran)
    names = ["synthetic", *2 * ["train", "eval", "predict"], "fuse"]
    assert [command[3] for command in ran] == names
    assert "\n$ yt8m train --model=AttnVLAD " in done.out
    monkeypatch.chdir(ROOT)
    assert "\n$ python train.py --model=AttnVLAD " in run_command("demo", "--out_dir=x").out
