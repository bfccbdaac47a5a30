"""Ratings of synthetic segments depend on the scenes that they show."""

import numpy as np

from yt8m.data.synthetic.ratings import rate_segments


def rate(shown, labels, seed=0, num_classes=6):
    """Classes 0 to 3 are one scene each, 4 and 5 two in either order; scene 9 has no class."""
    scenes_of = {4: [4, 5], 5: [5, 4]}
    frequency = np.full(num_classes, 1 / num_classes)
    return rate_segments(
        np.array(shown),
        labels,
        lambda c: scenes_of.get(c, [c]),
        frequency,
        np.random.default_rng(seed),
    )


def test_positive_where_shown_and_negative_where_not():
    got = rate([1] * 5 + [9] * 5 + [1] * 2 + [9] * 3, [1])
    assert [(s, x) for s, c, x in got if c == 1] == [
        (0, 1.0),
        (5, 0.0),
    ]  # two frames of it are neither
    others = [(s, c, x) for s, c, x in got if c != 1]
    assert [s for s, _, _ in others] == [0, 5, 10]
    assert not any(x for _, _, x in others)


def test_a_class_of_two_scenes_needs_both():
    got = rate([9, 4, 4, 5, 5] + [4] * 5 + [9] * 5 + [5], [4])
    assert [(s, x) for s, c, x in got if c == 4] == [(0, 1.0), (10, 0.0)]


def test_the_other_order_is_a_negative():
    assert any((0, 5, 0.0) in rate([4, 4, 4, 5, 5], [4], seed) for seed in range(20))


def test_five_whole_segments_at_most():
    got = rate([1] * 43, [1])
    starts = [s for s, c, _ in got if c == 1]
    assert len(starts) == 5
    assert starts == sorted(starts)
    assert all(s % 5 == 0 and s <= 35 for s in starts)
    assert rate([1] * 4, [1]) == []
    every_class = range(6)  # so that none is left that the video does not have
    assert {c for _, c, _ in rate([1] * 5, every_class)} <= set(every_class)
