"""Segment MAP: the cap comes before the removal of what was not rated."""

import pytest

from yt8m.errors import UserError
from yt8m.metrics.segment_map import segment_average_precision, segment_map

RATINGS = {"a:0": 1.0, "a:5": 0.0, "b:0": 1.0, "c:10": 1.0}


def test_unrated_segments_take_no_rank():
    listed = ["x:0", "a:0", "x:5", "a:5", "b:0"]
    assert segment_average_precision(listed, RATINGS) == pytest.approx((1 / 1 + 2 / 3) / 3)
    assert segment_average_precision(listed, RATINGS, top_n=2) == pytest.approx(1 / 3)


def test_a_segment_listed_twice_counts_once():
    assert segment_average_precision(["a:0", "a:0", "b:0"], RATINGS) == pytest.approx(2 / 3)


def test_mean_over_the_classes_of_the_submission():
    mean, ap = segment_map([(3, ["a:0"]), (9, ["a:0"])], {3: RATINGS, 4: RATINGS})
    assert ap == pytest.approx({3: 1 / 3, 9: 0.0})  # 9 was never rated; 4 was not submitted
    assert mean == pytest.approx(1 / 6)
    with pytest.raises(UserError, match="class 3 has two lines"):
        segment_map([(3, []), (3, [])], {})
