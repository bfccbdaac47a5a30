"""The demo's commands, and how it ends when it is asked to; the demo itself is run by CI."""

import os
import signal
import subprocess
import sys

import pytest

from yt8m import demo


def test_what_is_asked_to_stop_takes_its_command_along():
    """Else a training would go on unseen, and a Ctrl-C end in a traceback."""
    # What a shell starts in the background ignores Ctrl-C, and so would this child of it.
    child = "import os, signal, time; signal.signal(signal.SIGINT, signal.default_int_handler); print(os.getpid(), flush=True); time.sleep(60)"
    code = (
        f"import sys; from yt8m import demo; sys.exit(demo.run([sys.executable, '-c', {child!r}]))"
    )
    for number, of_all in (
        (signal.SIGTERM, False),
        (signal.SIGINT, True),
    ):  # kill, and a terminal's Ctrl-C
        told = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd=demo.ROOT,
        )
        pid = int(told.stdout.readline())
        (os.killpg if of_all else os.kill)(told.pid, number)
        assert told.wait(timeout=30) == 128 + number
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_it_ends_with_the_first_command_that_fails(monkeypatch, tmp_path):
    monkeypatch.setattr(
        demo,
        "commands",
        lambda out_dir, data_dir: [
            [sys.executable, "-c", f"raise SystemExit({n})"] for n in (0, 3, 4)
        ],
    )
    assert demo.main([]) == 3


def test_a_relative_folder_is_where_it_was_named(monkeypatch, tmp_path, capsys):
    given = []
    monkeypatch.setattr(demo, "commands", lambda *folders: given.append(folders) or [])
    monkeypatch.chdir(tmp_path)
    assert demo.main(["--out_dir=x"]) == 0
    assert f"everything is in {tmp_path / 'x'}" in capsys.readouterr().out
    monkeypatch.chdir(demo.ROOT)
    assert demo.main(["--out_dir=x"]) == 0
    assert given == [
        (str(tmp_path / "x"), str(tmp_path / "x" / "data")),
        ("x", os.path.join("x", "data")),
    ]
