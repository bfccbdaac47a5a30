"""Every fault of a run's folder against every command that opens one: one line that names it.

A row is a fault, a column a command, as in test_refusals.py. `NAMED` has what the message of a
fault must have, and `READ` the commands that need nothing of what is wrong.
"""

import os
import shutil

import pytest

from tests.support.commands import run_command
from tests.support.records import CLASSES, Maker
from tests.support.runs import new_run
from tests.support.untrained import save_untrained
from yt8m.commands import start_run

WEIGHTS = "best/model.weights.h5"


def missing(run):
    shutil.rmtree(run)


def empty(run):
    missing(run)
    run.mkdir()


def a_file(run):
    missing(run)
    run.write_text("not a run")


def link_to_nothing(run):
    missing(run)
    run.symlink_to("/nowhere/at/all")


def settings_cut(run):
    os.truncate(run / "config.json", 100)


def settings_of_another_program(run):
    (run / "config.json").write_text('{"model": "x", "layers": 3}')


def settings_are_a_folder(run):
    (run / "config.json").unlink()
    (run / "config.json").mkdir()


def no_weights(run):
    (run / WEIGHTS).unlink()


def weights_cut(run):
    os.truncate(run / WEIGHTS, (run / WEIGHTS).stat().st_size // 2)


def weights_of_text(run):
    (run / WEIGHTS).write_text("version https://git-lfs.github.com/spec/v1\n")


NAMED = {
    missing: ("{run}", "does not exist"),
    empty: ("{run}", "contains no config.json"),
    a_file: ("{run}", "is a file"),
    link_to_nothing: ("{run}", "link that leads nowhere"),
    settings_cut: ("{run}/config.json",),
    settings_of_another_program: ("{run}/config.json",),
    settings_are_a_folder: ("{run}/config.json", "folder"),
    no_weights: ("{run}", "model"),
    weights_cut: (f"{{run}}/{WEIGHTS}",),
    weights_of_text: (f"{{run}}/{WEIGHTS}",),
}
READ = {(fault, "report") for fault in (no_weights, weights_cut, weights_of_text)}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    Maker(folder).shards("video", 20, 1)
    save_untrained(
        new_run(f"{folder}/*.tfrecord", "LogisticModel", schema=Maker.video), folder / "whole"
    )
    return folder


def command(column, run, records, out):
    pattern = f"{records}/*.tfrecord"
    read = ("predict", f"--train_dir={run}", f"--input_data_pattern={pattern}")
    return {
        "eval": (
            *("eval", f"--train_dir={run}", f"--output_dir={out}/eval"),
            f"--eval_data_pattern={pattern}",
        ),
        "predict": (*read, f"--output_file={out}/p.csv"),
        "predict scores": (*read, f"--output_scores={out}/s"),
        "bundle": ("predict", f"--train_dir={run}", f"--output_model_tgz={out}/m.tgz"),
        "export": ("export", str(run), f"--out_dir={out}/x"),
        "publish": ("publish", str(run), f"--out_dir={out}/hub", "--license=apache-2.0"),
        "report": ("report", str(run), f"--out={out}/r.html"),
        "fine-tune": (
            *("train", "--model=LogisticModel", f"--init_from={run}", f"--num_classes={CLASSES}"),
            *(f"--train_data_pattern={pattern}", f"--train_dir={out}/run"),
        ),
    }[column]


COLUMNS = (
    "eval", "predict", "predict scores", "bundle", "export", "publish", "report", "fine-tune",
)  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("fault", NAMED, ids=lambda fault: fault.__name__)
def test_a_fault_of_a_run(fault, column, records, tmp_path, monkeypatch):
    if column != "fine-tune":  # whose trainer opens the run
        monkeypatch.setattr(start_run.trainers, "get", lambda _: lambda *given: None)
    run, out = tmp_path / "given", tmp_path / "out"
    shutil.copytree(records / "whole", run)
    out.mkdir()
    fault(run)
    ended = run_command(*command(column, run, records, out))
    if (fault, column) in READ:
        assert ended.code == 0, ended.err
        return
    assert ended.code == 2, ended.out + ended.err
    (line,) = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    for words in NAMED[fault]:
        assert words.format(run=run) in line
    if column == "fine-tune":  # whose trainer has begun its folder
        assert not (out / "run/config.json").exists()
        shutil.rmtree(out / "run", ignore_errors=True)
    assert not [p for p in out.rglob("*") if p.is_file() and not p.name.endswith(".lock")]
