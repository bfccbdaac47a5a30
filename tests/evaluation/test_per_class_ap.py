"""The per-class AP file: what is written is what is read."""

import numpy as np
import pytest

from yt8m.errors import UserError
from yt8m.evaluation.per_class_ap import read_per_class_ap, write_per_class_ap


def test_round_trip(tmp_path):
    path = str(tmp_path / "ap.json")
    write_per_class_ap(path, [1 / 3, 0.0], [4, 0], names=["Game", "Car"])
    back = read_per_class_ap(path)
    np.testing.assert_array_equal(back.ap, [1 / 3, 0.0])
    np.testing.assert_array_equal(back.positives, [4, 0])
    assert back.names == ["Game", "Car"]
    assert [p.name for p in tmp_path.iterdir()] == ["ap.json"]


def test_npz(tmp_path):
    np.savez(tmp_path / "ap.npz", ap=[0.5], positives=[2])
    assert read_per_class_ap(str(tmp_path / "ap.npz")).ap.tolist() == [0.5]


@pytest.mark.parametrize(
    "text", [None, "not json", "[1]", '{"ap": [1.0]}', '{"ap": [1.0], "positives": [1, 2]}']
)
def test_anything_else_is_refused(tmp_path, text):
    path = tmp_path / "ap.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=r"ap\.json"):
        read_per_class_ap(str(path))
