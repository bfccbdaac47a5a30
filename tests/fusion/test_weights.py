"""Fusion weights against numbers worked out by hand (docs/sources.md#fusion-weights)."""

import numpy as np
import pytest

from yt8m.fusion.weights import fusion_weights

AP = np.array([[0.2, 0.8], [0.4, 0.4], [0.6, 0.0]])
ALL = np.ones((3, 2), bool)


@pytest.mark.parametrize(
    ("method", "first", "total"),
    [
        ("l1", [0.166667, 0.333333, 0.5], 1.0),
        ("l2", [0.267261, 0.534522, 0.801784], 1.603567),
        ("l3", [0.302853, 0.605707, 0.90856], 1.817121),
    ],
)
def test_norms(method, first, total):
    weights = fusion_weights(method, ALL, AP)
    np.testing.assert_allclose(weights[:, 0], first, atol=1e-6)
    assert weights[:, 0].sum() == pytest.approx(total, abs=1e-6)


def test_l2_of_the_second_class():
    weights = fusion_weights("l2", ALL, AP)
    np.testing.assert_allclose(weights[:, 1], [0.894427, 0.447214, 0], atol=1e-6)
    assert weights[:, 1].sum() == pytest.approx(1.341641, abs=1e-6)


def test_average_and_given():
    np.testing.assert_allclose(fusion_weights("average", ALL), np.full((3, 2), 1 / 3))
    np.testing.assert_allclose(
        fusion_weights("weighted", ALL, given=[3, 1, 0])[:, 1], [0.75, 0.25, 0]
    )


def test_power():
    weights = fusion_weights("power", ALL, AP, power=2)
    np.testing.assert_allclose(weights[:, 0], np.array([4, 16, 36]) / 56)
    high = fusion_weights("power", ALL, AP / 1000, power=300)  # no underflow
    np.testing.assert_allclose(high, [[0, 1], [0, 0], [1, 0]], atol=1e-12)


@pytest.mark.parametrize(
    ("method", "share"), [("l1", 1 / 3), ("l2", 3**-0.5), ("l3", 3 ** (-1 / 3)), ("power", 1 / 3)]
)
def test_where_all_aps_are_zero_all_models_count_alike(method, share):
    np.testing.assert_allclose(
        fusion_weights(method, ALL, np.zeros((3, 2))), np.full((3, 2), share)
    )


@pytest.mark.parametrize("method", ["average", "weighted", "l1", "l2", "power"])
def test_a_model_takes_part_in_the_classes_it_knows(method):
    covered = np.array([[True, True, False], [True, False, False]])
    ap = np.array([[0.3, 0.0, 0.5], [0.3, 0.9, 0.5]])
    weights = fusion_weights(method, covered, ap, given=[1, 1])
    assert weights[0, 0] == pytest.approx(weights[1, 0])
    np.testing.assert_allclose(weights[:, 1], [1, 0])
    np.testing.assert_array_equal(weights[:, 2], [0, 0])


def test_refusals():
    with pytest.raises(ValueError, match="method"):
        fusion_weights("best", ALL)
    with pytest.raises(ValueError, match="shape"):
        fusion_weights("l1", ALL, AP[:2])
    for given in ([1, 2], [1, -1, 1], [0, 0, 0], None):
        with pytest.raises(ValueError, match="3 weights"):
            fusion_weights("weighted", ALL, given=given)
