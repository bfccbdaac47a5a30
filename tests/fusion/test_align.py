"""Ids of the inputs: same set, any order."""

import numpy as np
import pytest

from yt8m.errors import UserError
from yt8m.fusion.align import align_ids


def test_orders():
    assert align_ids(["a", "b"], ["a", "b"], "x", "y") is None
    assert align_ids(["", ""], ["", ""], "x", "y") is None
    np.testing.assert_array_equal(align_ids(list("abc"), list("cab"), "x", "y"), [1, 2, 0])


def test_missing_videos_are_counted_and_named():
    with pytest.raises(
        UserError,
        match="x has 3, y has 2; 2 in x but not in y, first b, c; 1 in y but not in x, first z",
    ):
        align_ids(list("abc"), list("az"), "x", "y")


def test_repeated_ids_in_another_order_cannot_be_matched():
    with pytest.raises(UserError, match="more than once"):
        align_ids(list("aab"), list("baa"), "x", "y")
