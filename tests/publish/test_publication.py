"""A published folder: what it contains, how it is read, and what it never overwrites."""

import json
import os
import pathlib
import shutil

import numpy as np
import pytest

from tests.support.commands import refused, run_command
from tests.support.runs import begun, run_on
from tests.support.untrained import save_untrained
from yt8m import files
from yt8m.api import load_run
from yt8m.data.vocabulary import read_vocabulary
from yt8m.errors import UserError
from yt8m.publish import publication
from yt8m.publish.publication import publish
from yt8m.runs.folder import RunFolder

FILES = {
    "README.md", "config.json", "model-instance-metadata.json", "model-metadata.json",
    "model.weights.h5", "publication.json",
}  # fmt: skip
EVALUATION = {"metrics.json", "per_class_ap.json"}


@pytest.fixture(scope="module")
def run(finished_run, tmp_path_factory):
    """Return the folder of a finished and evaluated run."""
    folder = tmp_path_factory.mktemp("run") / "lr"
    shutil.copytree(finished_run, folder)
    assert run_command("eval", f"--train_dir={folder}").code == 0
    return folder


@pytest.fixture(scope="module")
def published(run, tmp_path_factory):
    """Return the folder in which that run is published."""
    folder = tmp_path_factory.mktemp("hub") / "lr"
    publish(str(run), str(folder), name="someone/lr")
    return folder


def message(*arguments, **more):
    """Return the message with which a publication is refused."""
    with pytest.raises(UserError) as error:
        publish(*(str(a) for a in arguments), **more)
    return str(error.value)


def contents(folder):
    """Return name -> bytes of a folder's files."""
    return {path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir()}


def test_it_holds_all_files_at_its_top(published, small_data):
    assert set(os.listdir(published)) == FILES | EVALUATION | {"vocabulary.csv"}
    beside = os.path.join(small_data.folder, "video", "vocabulary.csv")
    assert read_vocabulary(str(published / "vocabulary.csv")).names == read_vocabulary(beside).names


def test_it_predicts_exactly_like_its_run(run, published, small_data):
    test = small_data.pattern("test", "video")
    copy, original = load_run(str(published)), load_run(str(run))
    np.testing.assert_array_equal(copy.predict(test), original.predict(test))
    assert copy.labels == original.labels


def test_every_command_that_reads_a_run_reads_it(run, published, small_data, tmp_path):
    lines = {}
    for folder in (run, published):
        csv, out = tmp_path / f"{folder.parent.name}.csv", tmp_path / "eval"
        ended = run_command(
            "predict", f"--train_dir={folder}", f"--output_file={csv}",
            f"--input_data_pattern={small_data.pattern('test', 'video')}",
        )  # fmt: skip
        assert ended.code == 0, ended.err
        assert run_command("eval", f"--train_dir={folder}", f"--output_dir={out}").code == 0
        gap = files.read_json(str(out / "metrics.json"))["gap"]
        lines[folder] = (csv.read_text(), gap)
    assert lines[run] == lines[published]
    ended = run_command(
        "train", "--model=LogisticModel", f"--init_from={published}", "--max_steps=1",
        f"--train_data_pattern={small_data.pattern('train', 'video')}", "--batch_size=50",
        f"--train_dir={tmp_path / 'new'}",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert "started from the LogisticModel in " + str(published) in ended.out


def test_only_its_own_weights_are_read(published):
    assert load_run(str(published), "best").config.model.name == "LogisticModel"
    with pytest.raises(UserError, match=r"whose only weights are the best ones.*checkpoint=last"):
        load_run(str(published), "last")


def test_training_never_changes_it(published, small_data):
    before = contents(published)
    arguments = [
        "--model=LogisticModel",
        f"--train_dir={published}",
        f"--train_data_pattern={small_data.pattern('train', 'video')}",
    ]
    assert "is a published model" in refused("train", *arguments, "--start_new_model")
    assert "other settings" in refused("train", *arguments, "--batch_size=7")
    assert contents(published) == before
    assert RunFolder(str(published)).is_done()  # so that --watch ends


def test_the_paths_of_the_vocabulary_do_not_travel(run, published, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    config = json.loads((copy / "config.json").read_text())
    config["training"]["vocabulary_file"] = str(published / "vocabulary.csv")
    (copy / "config.json").write_text(json.dumps(config))
    publish(str(copy), str(tmp_path / "out"))
    assert load_run(str(tmp_path / "out")).config.training.vocabulary_file == ""
    assert (tmp_path / "out" / "vocabulary.csv").read_bytes() == (
        published / "vocabulary.csv"
    ).read_bytes()


def test_a_vocabulary_of_other_classes_is_refused(run, tmp_path):
    (tmp_path / "two.csv").write_text("Index,Name\n0,a\n1,b\n")
    said = message(run, tmp_path / "out", vocabulary_file=str(tmp_path / "two.csv"))
    assert "has 2 classes, but the model has 12" in said
    assert os.listdir(tmp_path) == ["two.csv"]


def test_an_unchanged_publication_is_replaced(run, published, tmp_path):
    out = tmp_path / "out"
    publish(str(run), str(out), license_id="mit")
    publish(str(run), str(out), name="someone/lr")
    assert contents(out) == contents(published)
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("change", ["README.md", ".git", "notes.txt"])
def test_a_publication_that_somebody_changed_is_kept(run, published, tmp_path, change):
    out = tmp_path / "out"
    shutil.copytree(published, out)
    (out / change).write_text("mine")
    before = contents(out)
    assert change in message(run, out)
    assert contents(out) == before


def test_other_folders_are_kept(run, published, small_data, tmp_path):
    assert "was not made by this command" in message(run, run)
    (tmp_path / "file").write_text("")
    assert "is a file" in message(run, tmp_path / "file")
    assert "on this machine" in message(run, "gs://bucket/out")
    other = save_untrained(run_on(small_data, "MoeModel"), tmp_path / "moe")
    assert "contains a published LogisticModel of 12 classes" in message(other, published)
    assert "OWNER/NAME" in message(run, tmp_path / "out", name="no owner")


def test_an_interrupted_publication_leaves_nothing(run, tmp_path, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(publication.card, "model_card", interrupted)
    with pytest.raises(KeyboardInterrupt):
        publish(str(run), str(tmp_path / "new"))
    assert os.listdir(tmp_path) == []
    monkeypatch.undo()
    publish(str(run), str(tmp_path / "old"))
    before = contents(tmp_path / "old")
    monkeypatch.setattr(publication.card, "model_card", interrupted)
    with pytest.raises(KeyboardInterrupt):
        publish(str(run), str(tmp_path / "old"))
    assert os.listdir(tmp_path) == ["old"]
    assert contents(tmp_path / "old") == before


def test_a_run_with_only_checkpoints_is_refused(small_data, tmp_path):
    begun(run_on(small_data, "LogisticModel"), tmp_path / "run")
    (tmp_path / "run" / "checkpoints").mkdir()
    assert "contains no saved model yet" in message(tmp_path / "run", tmp_path / "out")
    assert "does not exist" in message(tmp_path / "none", tmp_path / "out")
    assert os.listdir(tmp_path) == ["run"]


def test_the_command_takes_the_run_without_a_flag(run, published, tmp_path):
    out = tmp_path / "out"
    ended = run_command("publish", str(run), f"--out_dir={out}", "--name=someone/lr")
    assert ended.code == 0, ended.err
    assert f"hf upload someone/lr {out} ." in ended.out
    assert contents(out) == contents(published)
    assert "RUN is missing" in refused("publish", f"--out_dir={out}")
    assert "--out_dir is missing" in refused("publish", str(run))
    assert "unexpected arguments" in refused("publish", str(run), "second")
    assert "expected one of cc-by-4.0" in refused("publish", str(run), "--license=free")
