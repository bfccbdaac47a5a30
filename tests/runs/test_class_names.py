"""The names of a run's classes, wherever its records and their vocabulary are by now."""

import os
import shutil

import pytest

from tests.support.runs import with_training
from yt8m.data.vocabulary import read_vocabulary
from yt8m.errors import UserError
from yt8m.runs.bundle import open_bundle, write_bundle
from yt8m.runs.classes.names import ClassNames, class_names, keep_names
from yt8m.runs.folder import RunFolder


@pytest.fixture
def run(finished_run, tmp_path):
    """A copy of a finished run whose records are gone."""
    folder = RunFolder(shutil.copytree(finished_run, tmp_path / "run"))
    config = with_training(folder.load_config(), train_data_pattern=f"{tmp_path}/gone/*.tfrecord")
    folder.write_text("config.json", config.to_json())
    return folder


@pytest.fixture
def vocabulary(small_data):
    """The vocabulary of its records."""
    return os.path.join(small_data.folder, "video", "vocabulary.csv")


def names_of(folder, **more):
    return class_names(folder, folder.load_config(), **more)


def test_a_run_keeps_its_names_and_the_counts_when_its_records_are_gone(run, vocabulary):
    kept, original = read_vocabulary(run.file("classes.csv")), read_vocabulary(vocabulary)
    assert kept.names == original.names
    assert kept.counts.tolist() == original.counts.tolist()
    assert names_of(run).names == original.names
    assert names_of(run).shown(3) == f"{original.names[3]} (3)"


def test_a_bundle_has_the_names_and_the_next_one_not_those_of_the_last(run, tmp_path):
    expected, opened = names_of(run), str(tmp_path / "opened")
    write_bundle(run.path, str(tmp_path / "named.tgz"))
    os.remove(run.file("classes.csv"))
    write_bundle(run.path, str(tmp_path / "bare.tgz"))
    for bundle, names in (("named", expected.names), ("bare", tuple(map(str, range(12))))):
        assert names_of(RunFolder(open_bundle(f"{tmp_path}/{bundle}.tgz", opened))).names == names


def test_a_run_of_before_finds_them_beside_other_records_of_as_many_classes(run, tmp_path):
    os.remove(run.file("classes.csv"))
    assert not names_of(run).are_known
    assert names_of(run).shown(3) == "class 3"
    (tmp_path / "class_labels_indices.csv").write_text(
        "index,mid,display_name\n" + "".join(f"{i},/m/{i},Sound {i}\n" for i in range(12))
    )
    records = [str(tmp_path / "validate" / "a.tfrecord")]
    assert names_of(run, files=records).names[11] == "Sound 11"
    (tmp_path / "class_labels_indices.csv").write_text("index,mid,display_name\n0,/m/0,Sound\n")
    assert not names_of(run, files=records).are_known


def test_a_broken_vocabulary_is_refused_only_if_it_is_asked_for(run, tmp_path):
    path = tmp_path / "vocabulary.csv"
    path.write_text("no\nvocabulary at all\n")
    os.remove(run.file("classes.csv"))
    assert not names_of(run, files=[str(tmp_path / "a.tfrecord")]).are_known
    with pytest.raises(UserError, match="is not a vocabulary"):
        names_of(run, given=str(path))
    path.write_text("0,a\n1,b\n")
    with pytest.raises(UserError, match="has 2 classes, but the model has 12"):
        names_of(run, given=str(path))


def test_a_class_without_a_name_is_called_by_its_number_and_kept_so(run, tmp_path):
    path = tmp_path / "vocabulary.csv"
    path.write_text("Index,Name\n" + "".join(f"{i},{'' if i == 2 else 'a'}\n" for i in range(12)))
    os.remove(run.file("classes.csv"))
    config = with_training(run.load_config(), vocabulary_file=str(path))
    keep_names(run, config)
    path.unlink()
    kept = class_names(run, config)
    assert kept.names == ("a", "a", "2", *["a"] * 9)
    assert kept.shown(2) == "class 2"
    assert ClassNames.numbers(2).names == ("0", "1")


def test_damaged_names_of_a_run_are_reported(run, caplog):
    with open(run.file("classes.csv"), "wb") as file:
        file.write(b"\x00\xff")
    names_of(run)
    assert "classes.csv" in caplog.text
    assert "are looked for elsewhere" in caplog.text
