"""KDD eq. 4 against golden numbers, and the groups that follow from it."""

import json

import numpy as np
import pytest

from yt8m.largescale.mixtures.adaptive_experts import experts_per_class, groups_by_experts

COUNTS = [0, 1, 2, 3, 7, 149, 150, 151, 100_000]


def test_golden_numbers():
    np.testing.assert_array_equal(experts_per_class(COUNTS, 50, 3), [1, 1, 1, 1, 2, 49, 50, 50, 50])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"rounding": "ceil"}, [1, 1, 1, 1, 3, 50, 50, 50, 50]),
        ({"rounding": "round"}, [1, 1, 1, 1, 2, 50, 50, 50, 50]),
        ({"divisor": 0}, [50] * 9),
        ({"divisor": 0.5, "max_experts": 4}, [1, 2, 4, 4, 4, 4, 4, 4, 4]),
        ({"max_experts": 1}, [1] * 9),
    ],
)
def test_options(arguments, expected):
    np.testing.assert_array_equal(
        experts_per_class(COUNTS, **{"max_experts": 50, **arguments}), expected
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_experts": 0}, "max_experts >= 1"),
        ({"max_experts": 5, "divisor": -1.0}, "divisor >= 0"),
        ({"max_experts": 5, "rounding": "up"}, "rounding must be one of floor, ceil, round"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        experts_per_class(COUNTS, **arguments)


def test_groups_hold_every_class_once_and_are_json():
    groups = groups_by_experts(experts_per_class(COUNTS, 50, 3))
    assert [g["num_mixtures"] for g in groups] == [1, 2, 49, 50]
    assert groups[0]["classes"] == [0, 1, 2, 3]
    assert groups[3]["classes"] == [6, 7, 8]
    assert sorted(c for g in json.loads(json.dumps(groups)) for c in g["classes"]) == list(range(9))
