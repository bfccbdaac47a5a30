"""What the machine or the environment refuses ends in one line; a bug keeps its traceback."""

import errno
import os
import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf
from tensorflow.python.lib.io import file_io

from tests.support.commands import run_command
from yt8m.errors import UserError
from yt8m.process import guard
from yt8m.runs.devices.workers import cluster_workers

ROOT = pathlib.Path(__file__).parents[2]
DISK_FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/runs/a")


def tensorflow_error(kind, message, node=None):
    return getattr(tf.errors, kind)(node, None, message)


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        (UserError("wrong"), ["wrong"]),
        (DISK_FULL, ["/runs/a: No space left on device", "free some space"]),
        (PermissionError(errno.EACCES, "Permission denied", "b"), ["b: Permission denied"]),
        (OSError(errno.EIO, "Input/output error", "c"), ["c: Input/output error", "disk"]),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "d"), ["d: Is a directory"]),
        (OSError(errno.ENAMETOOLONG, "File name too long", "e"), ["shorten the name"]),
        (ValueError("embedded null byte"), ["a file's name has a null byte"]),
        (MemoryError("Unable to allocate 3 TiB"), ["not enough memory: Unable to allocate 3 TiB"]),
        (tensorflow_error("NotFoundError", "/x/y; No such file or directory"), ["/x/y"]),
        (tensorflow_error("UnknownError", "/x; Input/output error [Op:IO]"), ["/x; Input/output"]),
        (tensorflow_error("ResourceExhaustedError", "OOM when allocating"), ["not enough memory"]),
        (tensorflow_error("FailedPreconditionError", "a; Is a directory"), ["a; Is a directory"]),
    ],
)  # fmt: skip
def test_what_the_machine_refuses_is_one_line(error, parts, capsys):
    def main():
        raise error

    assert guard.guarded(main) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert all(part in said for part in parts), said


@pytest.mark.parametrize(
    "use",
    [
        lambda path: tf.io.gfile.exists(path),
        lambda path: tf.io.gfile.stat(path),
        lambda path: tf.io.gfile.copy(path, "/tmp/b"),
        lambda path: tf.io.gfile.GFile(path).read(),
    ],
    ids=["exists", "stat", "copy", "GFile"],
)
def test_a_bucket_that_cannot_be_reached_is_named(use, capsys, monkeypatch):
    def away(*_):
        raise tensorflow_error("FailedPreconditionError", "Error executing an HTTP request\n\tat x")

    for name in ("FileExists", "Stat", "CopyFile", "BufferedInputStream"):
        monkeypatch.setattr(file_io._pywrap_file_io, name, away)
    assert guard.guarded(lambda: use("gs://there/a")) == 2
    assert capsys.readouterr().err == "error: gs://there/a: Error executing an HTTP request.\n"


def test_a_reason_is_one_line():
    error = tensorflow_error("UnavailableError", "Error executing\n\t when reading gs://a/.")
    assert guard.reason(error) == "Error executing when reading gs://a/"


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("x"),
        ValueError("x"),
        KeyError("x"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"),
        tensorflow_error("InvalidArgumentError", "Incompatible shapes: [2] vs. [3]"),
        tensorflow_error("NotFoundError", "No registered 'X' OpKernel for CPU devices"),
    ],
)
def test_a_bug_keeps_its_traceback(error):
    def main():
        raise error

    with pytest.raises(type(error)):
        guard.guarded(main)


def test_the_traceback_of_one_line_can_be_shown(monkeypatch, capsys):
    monkeypatch.setenv(guard.TRACEBACK, "1")

    def main():
        raise DISK_FULL

    assert guard.guarded(main) == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("nonsense", "is not JSON"),
        ("[]", "no object `cluster`"),
        ('{"cluster": 3}', "no object `cluster`"),
        ('{"cluster": {"worker": "a:1"}}', "`cluster.worker` is not a list"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 4}}', "no member"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "x", "index": 0}}', "no member"),
        ('{"cluster": {"worker": ["a:1"]}, "task": 3}', "no member"),
        ('{"cluster": {"worker": ["a:1"]}}', ""),
    ],
)
def test_a_cluster_that_is_none_is_named(value, problem, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", value)
    if not problem:
        assert cluster_workers() == ["a:1"]
        return
    with pytest.raises(UserError, match=f"TF_CONFIG.*{problem}"):
        cluster_workers()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"KERAS_BACKEND": "nonsense"}, "KERAS_BACKEND"),
        ({"TF_USE_LEGACY_KERAS": "1"}, "TF_USE_LEGACY_KERAS=1"),
    ],
)
def test_a_keras_that_cannot_be_used_is_named(variables, message, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert message in guard.import_problem(ImportError("Keras cannot be imported."))
    assert "no space" in guard.import_problem(OSError(errno.ENOSPC, "no space", "x"))


def test_an_import_that_fails_for_no_such_reason_is_a_bug(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KERAS_BACKEND", "TF_USE_LEGACY_KERAS", "KERAS_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert guard.import_problem(ImportError("x")) is None


SCRIPT = """
import os, sys
from yt8m.process import guard
def main(given):
    print("caf\\u00e9", *given)
    if given[:1] == ["bug"]:
        1 / 0
guard.run_main(main)
"""


def program(*arguments, stdout="", **variables):
    """Run a small program of this package's way in a shell, whose output `stdout` redirects."""
    command = f'exec "$0" -c "$1" "${{@:2}}" {stdout}'
    return subprocess.run(
        ["bash", "-c", command, sys.executable, SCRIPT, *arguments],
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, **variables},
    )


def test_streams_arguments_and_locales_of_a_process():
    assert program().stdout.decode() == "café\n"
    plain = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = program("é", **plain)
    assert (done.returncode, done.stderr) == (0, b"")
    done = program(stdout=">&-")
    assert (done.returncode, done.stderr) == (0, b"")
    for unbuffered in ("", "1"):
        done = program(stdout=">/dev/full", PYTHONUNBUFFERED=unbuffered)
        assert done.returncode == 2
        assert done.stderr.startswith(b"error: the standard output cannot be written to: No space")
    done = program(stdout="> >(exec true)")
    assert done.stderr == b""
    done = program(b"\xff")
    assert done.returncode == 2
    assert b"is not UTF-8" in done.stderr
    done = program("bug")
    assert done.returncode == 1
    assert b"ZeroDivisionError" in done.stderr
    assert done.stderr.rstrip().endswith(b"with the lines above and the command.")


@pytest.mark.parametrize(
    ("command", "flags", "message"),
    [
        ("synthetic", ["--frames=300"], "--frames: 300: expected the fewest and the most frames"),
        ("synthetic", ["--frames=9,3"], "--frames: 9,3: expected"),
        ("synthetic", ["--noise=nan"], "--noise: nan: expected a number of at least 0"),
        ("synthetic", ["--seed=-1"], "--seed: -1: expected a whole number"),
        ("conformance", ["x", "--max_records=-1"], "--max_records: -1: expected"),
        ("papers", ["run", "x", "--seed=1e9"], "--seed: 1e9: expected a whole number"),
        ("papers", ["table", "league", "--seeds=0"], "--seeds: 0: expected"),
        ("papers", ["table", "league", "--budget_minutes=0"], "--budget_minutes: 0: expected"),
        ("train", ["--shuffle_buffer=9000000000000000000"], "at most 10,000,000"),
        ("train", ["--progress_seconds=inf"], "--progress_seconds=inf: expected a number"),
        ("train", ["--base_learning_rate=nan"], "--base_learning_rate=nan: expected"),
        ("train", ["--train_data_pattern=a\0b"], "without a null character"),
        ("train", ["--train_data_pattern=\udcff"], "expected text"),
        ("train", ["--flagfile=/nowhere/flags"], "flags"),
        ("train", ["--flagfile=/dev/zero"], "/dev/zero has no end"),
        ("train", ["--flagfile", "/dev/zero"], "/dev/zero has no end"),
        ("eval", ["--poll_seconds=1e300"], "--poll_seconds=1e+300: expected"),
        ("download", ["--timeout_seconds=1e30"], "--timeout_seconds=1e+30: expected"),
    ],
)
def test_numbers_and_texts_that_nothing_can_use(command, flags, message, tmp_path):
    where = [f"--out_dir={tmp_path}"] if command == "synthetic" else []
    ended = run_command(command, *where, *flags)
    assert ended.code == 2
    assert message in ended.err


def test_a_current_folder_that_is_gone_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    os.rmdir(tmp_path / "gone")
    assert "the current folder was removed" in guard.explanation(FileNotFoundError(2, "No such"))
    os.chdir(tmp_path)
    assert "correct the path" in guard.explanation(FileNotFoundError(2, "No such"))


def test_a_switch_of_keras_gets_no_advice_about_another(monkeypatch):
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    line = guard.import_problem(ImportError("no tf_keras"))
    assert "TF_USE_LEGACY_KERAS=1" in line
    assert "KERAS_BACKEND" not in line
