"""A prediction that was killed goes on by the same command and writes the same bytes."""

import collections
import errno
import json
import shutil
import signal
import subprocess
import sys
import time

import pytest
import tensorflow as tf

from tests.support.commands import refused, run_command
from tests.support.predictions import arguments, content
from tests.support.runs import run_on
from tests.support.stopping import stop_after
from tests.support.untrained import save_untrained
from yt8m.data.files.opening import Opening
from yt8m.data.files.shards import find_shards
from yt8m.data.records.writers import write_shard
from yt8m.runs.folder import RunFolder
from yt8m.runs.load import load_saved
from yt8m.runs.save import save_weights
from yt8m.submission.journal import journal as journals

# The command, which notes its progress after each batch and waits a little after each one.
SLOW = """
import sys, time
from yt8m import cli
from yt8m.submission.journal import journal
from yt8m.submission.kaggle_videos import CsvWriter
journal.EVERY_SECONDS = 0.0
journal._SHARE = 1.0
write = CsvWriter.write
def slowly(*given):
    write(*given)
    time.sleep(0.02)
CsvWriter.write = slowly
sys.exit(cli.call("predict", sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def made(small_data, tmp_path_factory):
    """A run, twelve shards, and what an undisturbed command writes."""
    folder = tmp_path_factory.mktemp("resumed")
    save_untrained(run_on(small_data, "LogisticModel"), folder / "run")
    shards = find_shards(small_data.pattern("train", "video"))
    for i in range(12):
        shutil.copy(shards[i % len(shards)], folder / f"{i:02d}.tfrecord")
    ended = run_command("predict", *arguments(folder, folder / "whole"))
    assert ended.code == 0, ended.err
    return folder


def notes(out):
    try:
        with open(out / "s.csv.progress" / "progress.json") as source:
            return json.load(source)
    except (FileNotFoundError, ValueError):
        return {"done": [0, 0, 0]}


def killed(folder, out, examples, *more):
    """Run the command until that many examples are noted, and kill it."""
    command = [sys.executable, "-c", SLOW, *arguments(folder, out, *more)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        began = time.monotonic()
        while notes(out)["done"][0] < examples and process.poll() is None:
            assert time.monotonic() - began < 100
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -signal.SIGKILL, process.stderr.read().decode()[-2000:]


def test_killed_and_gone_on_by_the_same_command(made, tmp_path, monkeypatch):
    total = len((made / "whole" / "s.csv").read_text().splitlines()) - 1
    killed(made, tmp_path, 0.8 * total)
    assert {p.name for p in tmp_path.iterdir() if p.suffix != ".lock"} == {
        "s.csv.partial",
        "s.csv.progress",
        "s.named.csv.partial",
        "scores.partial",
    }
    opened, look = set(), Opening._look
    monkeypatch.setattr(Opening, "_look", lambda self, name: opened.add(name) or look(self, name))
    ended = run_command("predict", *arguments(made, tmp_path))
    assert ended.code == 0, ended.err
    assert "going on after" in ended.out
    assert content(tmp_path) == content(made / "whole")
    assert len(opened) < 12, "what was read whole is not opened again"


def test_what_changed_is_said_and_nothing_is_mixed(made, tmp_path, monkeypatch):
    stop_after(3, monkeypatch)
    stopped = run_command("predict", *arguments(made, tmp_path))
    assert stopped.code == 128 + signal.SIGTERM
    assert "the first 48 are kept; the same command goes on after them" in stopped.out
    monkeypatch.undo()
    changed = tmp_path / "run"
    shutil.copytree(made / "run", changed)
    other = save_other_weights(changed)
    again = run_command("predict", *arguments(made, tmp_path, "--top_k=3", f"--train_dir={other}"))
    assert again.code == 0, again.err
    line = next(x for x in again.out.splitlines() if x.startswith("starting from the beginning"))
    assert line.endswith("the model, --top_k changed since the first 48 were written")
    clean = tmp_path / "clean"
    run_command("predict", *arguments(made, clean, "--top_k=3", f"--train_dir={other}"))
    assert (clean / "s.csv").read_bytes() == (tmp_path / "s.csv").read_bytes()


def save_other_weights(folder):
    run = RunFolder(str(folder))
    path = next(str(p) for p in folder.rglob("*.weights.h5"))
    _, model = load_saved(run, path)
    model.set_weights([w + 0.5 for w in model.get_weights()])
    save_weights(model, path)
    return folder


def test_stopped_by_a_signal_and_gone_on(made, tmp_path, monkeypatch):
    stop_after(3, monkeypatch)
    assert run_command("predict", *arguments(made, tmp_path)).code == 128 + signal.SIGTERM
    monkeypatch.undo()
    (tmp_path / "s.csv.partial").open("ab").write(b"half a li")  # written after the notes
    ended = run_command("predict", *arguments(made, tmp_path, "--num_readers=3"))
    assert "going on after 48 of about" in ended.out
    assert content(tmp_path) == content(made / "whole")


@pytest.mark.parametrize("batches", [1, 5])  # before and after the record that does not parse
def test_records_that_are_left_out_stay_left_out(made, tmp_path, monkeypatch, batches):
    records = tf.data.TFRecordDataset(str(made / "00.tfrecord")).as_numpy_iterator()
    payloads = list(records)[:120]
    write_shard(str(tmp_path / "00.tfrecord"), [*payloads[:70], b"garbage", *payloads[70:]])
    given = [f"--train_dir={made}/run", "--max_bad_records=1"]
    outs = [tmp_path / "whole", tmp_path / "stopped"]
    for out in outs:
        if out.name == "stopped":
            stop_after(batches, monkeypatch)
            ended = run_command("predict", *arguments(tmp_path, out, *given))
            assert ended.code == 128 + signal.SIGTERM
            monkeypatch.undo()
        ended = run_command("predict", *arguments(tmp_path, out, *given))
        assert ended.code == 0, ended.err
        assert "skipped 1 broken record" in ended.out
    assert content(outs[0]) == content(outs[1])
    assert len((outs[0] / "scores" / "ids.txt").read_text().splitlines()) == 120


def test_repeated_ids_are_found_across_a_stop(made, tmp_path, monkeypatch):
    stop_after(3, monkeypatch)
    run_command("predict", *arguments(made, tmp_path))
    monkeypatch.undo()
    lines = [
        run_command("predict", *arguments(made, out)).out for out in (tmp_path, tmp_path / "x")
    ]
    warned = [[x for x in text.splitlines() if "ids repeat" in x] for text in lines]
    assert warned[0] == warned[1]
    assert warned[0]


def test_a_partial_file_that_is_gone_starts_from_the_beginning(made, tmp_path, monkeypatch):
    stop_after(3, monkeypatch)
    run_command("predict", *arguments(made, tmp_path))
    monkeypatch.undo()
    (tmp_path / "s.csv.partial").unlink()
    ended = run_command("predict", *arguments(made, tmp_path))
    assert "starting from the beginning: " in ended.out
    assert content(tmp_path) == content(made / "whole")


def test_a_disk_that_is_too_small_is_refused_before_the_first_batch(made, tmp_path, monkeypatch):
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**6, 10**6 - 1000, 1000))
    message = refused("predict", *arguments(made, tmp_path))
    assert "--output_file and --with_names and --output_scores: about" in message
    assert "has only 1.0 kB left" in message
    assert not list(tmp_path.iterdir())


def test_two_processes_do_not_write_the_same_output(made, tmp_path):
    (tmp_path / "s.csv.progress").mkdir()
    with journals._locked(str(tmp_path / "s.csv.progress"), "--output_file"):
        assert "already writing the output of --output_file" in refused(
            "predict", *arguments(made, tmp_path)
        )


def test_an_address_with_a_mistake_deletes_nothing(made, tmp_path, monkeypatch):
    stop_after(3, monkeypatch)
    run_command("predict", *arguments(made, tmp_path))
    monkeypatch.undo()
    left = content(tmp_path)
    assert "is not known" in refused("predict", *arguments(made, tmp_path, "--executor=rya"))
    assert content(tmp_path) == left


def test_a_disk_that_is_full_when_the_notes_are_written_is_said(made, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journals, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(journals, "write_json", full)
    assert "s.csv.progress': No space left" in refused("predict", *arguments(made, tmp_path))
