"""How commands are found, start and end."""

import os
import pathlib
import subprocess
import sys

import pytest

import yt8m
from tests.support.commands import run_command
from yt8m import cli
from yt8m.errors import UserError
from yt8m.runs.settings.session import Session
from yt8m.runs.stop_signal import Stopped

ROOT = pathlib.Path(__file__).parents[2]


def ending(error):
    def main():
        raise error

    return cli.guarded(main)


@pytest.mark.parametrize(
    ("error", "code"),
    [(UserError("wrong"), 2), (KeyboardInterrupt(), 130), (Stopped(15), 143), (SystemExit(0), 0)],
)
def test_each_ending_has_its_exit_code(error, code, capsys):
    assert ending(error) == code
    if code == 2:
        assert capsys.readouterr().err == "error: wrong\n"


def test_the_end_of_a_session_prints_the_command_that_resumes_it(capsys):
    given = ["--train_dir=a b", "--start_new_model=t", "--start_new_model", "--max_minutes=5"]
    command = cli.resume_command("yt8m train", given)
    assert command == "yt8m train '--train_dir=a b' --max_minutes=5"

    def main():
        print("stopped")
        raise Stopped(None)

    assert cli.guarded(main, command) == 75
    assert capsys.readouterr().out == f"stopped\n{command}\n"


def test_a_session_of_a_command_begins_with_its_process(monkeypatch):
    began = []
    monkeypatch.setattr(cli, "call", lambda *_: began.append(Session(max_minutes=1).began))
    for start in (lambda: cli.main(["train"]), lambda: cli.run("train")):
        with pytest.raises(SystemExit):
            start()
    assert began == [yt8m.IMPORTED_AT] * 2
    assert Session().began > yt8m.IMPORTED_AT  # one that Python code begins


def test_a_fault_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        ending(ZeroDivisionError())
    assert cli.guarded(lambda: None) == 0
    assert cli.guarded(lambda: 3) == 3


@pytest.mark.parametrize("arguments", [[], ["--help"], ["help"], ["-h"]])
def test_without_a_command_all_are_listed(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert all(f"\n  {name} " in shown for name in cli.COMMANDS)


@pytest.mark.parametrize(("typed", "meant"), [("trian", "train"), ("inference", "predict")])
def test_an_unknown_command_is_refused_with_the_nearest(typed, meant, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([typed])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert f"'{typed}' is not a command of yt8m. Did you mean {meant}" in said


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself(name):
    ended = run_command(name, "--help")
    assert ended.code == 0
    assert ended.out.count("--") >= 2 or "{list,show" in ended.out


@pytest.mark.parametrize("name", ["train", "eval", "predict", "fuse", "analyse"])
def test_a_flag_that_does_not_exist_is_refused(name):
    ended = run_command(name, "--output_fiel=x")
    assert ended.code == 2
    assert "output_fiel" in ended.err


def test_models_and_losses_are_listed():
    listed = run_command("train", "--list_models").out.splitlines()
    assert any(line.startswith("MoeModel ") for line in listed)
    assert "HingeLoss" in run_command("train", "--list_losses").out.splitlines()


def test_the_root_scripts_and_module_forms_are_the_same_commands():
    """One process: each starts `run` with the name of its command and does nothing before."""
    forms = {
        "train.py": "train", "eval.py": "eval", "inference.py": "predict", "fusion.py": "fuse",
        "yt8m/demo.py": "demo", "yt8m/recipes.py": "papers", "yt8m/analysis/__main__.py": "analyse",
    }  # fmt: skip
    code = (
        "import runpy, sys, yt8m.cli\nyt8m.cli.run = print\n"
        "for path in sys.argv[1:]: runpy.run_path(path, run_name='__main__')\n"
        "print('tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *(str(ROOT / path) for path in forms)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.split() == [*forms.values(), "False"]


def test_help_of_a_process_takes_no_tensorflow_and_exits_with_0():
    env = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}
    done = subprocess.run(
        [sys.executable, "train.py", "--help"], capture_output=True, text=True, cwd=ROOT, env=env
    )
    assert done.returncode == 0
    assert done.stdout.startswith("Train a model")
    assert "Usage: python train.py --model=NAME" in done.stdout
    assert "| tensorflow" not in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["inspect", "--help"]])
def test_a_help_says_that_it_cannot_be_printed(arguments):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "yt8m", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
    assert done.returncode == 2
    assert "the standard output cannot be written to" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("inspect", "--max_records"),
        ("conformance", "--like"),
        ("synthetic", "--out_dir"),
        ("score-segments", "--submission"),
        ("figures", "--train_dir"),
        ("extract", "--out"),
        ("papers", "--out_dir"),
    ],
)
def test_two_dashes_are_no_value(name, flag):
    """Python's parser takes them for the end of the flags, and makes a list of the value."""
    ended = run_command(name, f"{flag}=--")
    assert ended.code == 2
    assert f"{flag}=--: -- is no value" in ended.err


def test_an_unknown_command_ends_alike_where_it_cannot_be_said():
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "yt8m", "nosuch"], stderr=full, cwd=ROOT)
    assert done.returncode == 2
