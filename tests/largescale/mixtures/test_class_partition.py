"""Partitions of the classes: each class once, balanced where that is asked, whatever the number of parts."""

import numpy as np
import pytest

from yt8m.largescale.mixtures.class_partition import KINDS, ClassPartition, partition


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("parts", [1, 3, 8, 50])
def test_every_class_once_and_kept(kind, parts):
    counts = np.random.default_rng(0).integers(1, 50, 23)
    made = partition(kind, counts, parts, seed=4)  # refuses itself if a class is missing or twice
    assert len(made.parts) == parts
    assert made.work(counts).sum() == counts.sum()
    assert made == partition(kind, counts, parts, seed=4)
    assert ClassPartition.from_json(made.to_json()) == made
    assert all(part == sorted(part) for part in made.parts)


def test_the_greedy_balance_is_within_the_smallest_class():
    counts = np.r_[np.full(100, 50), np.arange(1, 50), np.ones(200, int)]
    work = partition("balanced", counts, 7).work(counts)
    assert work.max() - work.min() <= 1
    assert partition("balanced", [5, 5, 5], 2).parts == [[0, 2], [1]]


def test_alike_parts_are_even_and_of_few_kinds():
    counts = np.random.default_rng(1).permutation(
        np.r_[np.full(20, 50), np.arange(1, 50), np.ones(400, int)]
    )
    parts = partition("alike", counts, 8)
    work = parts.work(counts)
    assert work.max() <= counts.sum() / 8 + 50
    kinds = sum(len(set(counts[part])) for part in parts.parts)
    assert kinds <= 50 + 7  # each kind in one part, but for those that a cut divides


def test_the_orders():
    assert partition("alike", [9, 1, 2, 1, 4, 1], 2).parts == [[1, 2, 3, 4, 5], [0]]
    assert partition("ordered", [1] * 7, 3).parts == [[0, 1, 2], [3, 4, 5], [6]]
    assert partition("round_robin", [1] * 5, 2).parts == [[0, 2, 4], [1, 3]]
    assert partition("contiguous", [9, 1, 1, 1, 1, 1, 4], 2).parts == [[0], [1, 2, 3, 4, 5, 6]]
    assert partition("random", [1] * 30, 3, 1) != partition("random", [1] * 30, 3, 2)


def test_what_is_no_partition():
    with pytest.raises(ValueError, match="exactly once"):
        ClassPartition(3, [[0, 1], [1, 2]])
    with pytest.raises(ValueError, match="kind"):
        partition("odd", [1], 1)
    with pytest.raises(ValueError, match="num_parts"):
        partition("balanced", [1], 0)
