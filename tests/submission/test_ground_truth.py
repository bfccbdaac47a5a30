"""Files of true labels."""

import numpy as np
import pytest

from yt8m.data.ragged import Ragged
from yt8m.errors import UserError
from yt8m.submission.ground_truth import GroundTruth, read_ground_truth


def test_read(tmp_path):
    (tmp_path / "l.csv").write_text("a,3 1 3\nb,\nc,0\n")
    truth = read_ground_truth(str(tmp_path / "l.csv"))
    assert truth.ids == ["a", "b", "c"]
    assert [truth[i].tolist() for i in "abc"] == [[1, 3], [], [0]]
    np.testing.assert_array_equal(truth.multi_hot(["c", "a"], 4), [[1, 0, 0, 0], [0, 1, 0, 1]])
    with pytest.raises(UserError, match="label 3, but there are 3"):
        truth.multi_hot(["a"], 3)
    with pytest.raises(UserError, match="'z' has no line"):
        truth.multi_hot(["z"], 4)


@pytest.mark.parametrize("line", ["c", "c,x", "c,-1"])
def test_a_bad_line_is_named(tmp_path, line):
    (tmp_path / "l.csv").write_text(f"VideoId,Labels\na,3\n{line}\n")
    with pytest.raises(UserError, match="line 3"):
        read_ground_truth(str(tmp_path / "l.csv"))


def test_an_id_that_occurs_twice_is_refused():
    with pytest.raises(UserError, match="'a' more than once"):
        GroundTruth(["a", "b", "a"], Ragged.of_lengths(np.arange(3), np.ones(3, int)))
