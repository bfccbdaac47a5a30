"""Vocabulary files as released, as written by us, and as lines of index and name."""

import numpy as np
import pytest

from yt8m.data.vocabulary import beside, read_vocabulary, write_vocabulary
from yt8m.errors import UserError


def test_round_trip(tmp_path):
    path = str(tmp_path / "vocabulary.csv")
    write_vocabulary(path, ["Game", 'Car, "fast"', "Food"], [9, 5, 0])
    found = read_vocabulary(path)
    assert found.names == ("Game", 'Car, "fast"', "Food")
    assert found.num_classes == 3
    np.testing.assert_array_equal(found.counts, [9, 5, 0])


def test_released_columns_in_any_row_order(tmp_path):
    path = tmp_path / "v.csv"
    path.write_text(
        "Index,TrainVideoCount,KnowledgeGraphId,Name,WikiUrl\n2,7,/m/x,Car,\n0,788288,/m/y,Game,http\n"
    )
    found = read_vocabulary(str(path))
    assert found.names == ("Game", "class 1", "Car")
    np.testing.assert_array_equal(found.counts, [788288, 0, 7])


@pytest.mark.parametrize(
    "text", ["0,Games\n1,Vehicle\n", "label_id,label_name\n0,Games\n1,Vehicle\n"]
)
def test_names_alone(tmp_path, text):
    path = tmp_path / "names.csv"
    path.write_text(text)
    found = read_vocabulary(str(path))
    assert found.names == ("Games", "Vehicle")
    assert found.counts is None


@pytest.mark.parametrize("text", ["", "what is this\nno idea\n"])
def test_something_else(tmp_path, text):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(UserError, match="is not a vocabulary"):
        read_vocabulary(str(path))


def test_missing(tmp_path):
    with pytest.raises(UserError, match=r"--vocabulary_file=.*cannot be read"):
        read_vocabulary(str(tmp_path / "none.csv"))


def test_beside(tmp_path):
    (tmp_path / "train").mkdir()
    files = [str(tmp_path / "train" / "a.tfrecord")]
    assert beside(files) is None
    (tmp_path / "vocabulary.csv").write_text("")
    assert beside(files) == str(tmp_path / "vocabulary.csv")
    (tmp_path / "train" / "vocabulary.csv").write_text("")
    assert beside(files) == str(tmp_path / "train" / "vocabulary.csv")
