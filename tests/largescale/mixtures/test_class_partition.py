"""Partitions of the classes: each class once, with even numbers of experts where that is asked."""

from typing import get_args

import numpy as np
import pytest

from yt8m.largescale.mixtures.class_partition import partition
from yt8m.runs.settings.alternation import Partitioning


def work(counts, partitions):
    """Return the experts of each partition."""
    return np.array([sum(counts[c] for c in classes) for classes in partitions])


@pytest.mark.parametrize("kind", get_args(Partitioning))
@pytest.mark.parametrize("number", [1, 3, 8, 50])
def test_every_class_is_in_one_partition(kind, number):
    counts = np.random.default_rng(0).integers(1, 50, 23)
    made = partition(kind, counts, number)
    assert len(made) == number
    assert sorted(c for classes in made for c in classes) == list(range(23))
    assert made == partition(kind, counts, number)
    assert all(classes == sorted(classes) for classes in made)


def test_the_greedy_balance_is_within_the_smallest_class():
    counts = np.r_[np.full(100, 50), np.arange(1, 50), np.ones(200, int)]
    experts = work(counts, partition("balanced", counts, 7))
    assert experts.max() - experts.min() <= 1
    assert partition("balanced", [5, 5, 5], 2) == [[0, 2], [1]]


def test_alike_partitions_are_even_and_of_few_kinds():
    counts = np.r_[np.full(20, 50), np.arange(1, 50), np.ones(400, int)]
    counts = np.random.default_rng(1).permutation(counts)
    made = partition("alike", counts, 8)
    assert work(counts, made).max() <= counts.sum() / 8 + 50
    kinds = sum(len(set(counts[classes])) for classes in made)
    assert kinds <= 50 + 7  # each kind in one partition, except those that a cut divides


def test_the_orders():
    assert partition("alike", [9, 1, 2, 1, 4, 1], 2) == [[1, 2, 3, 4, 5], [0]]
    assert partition("round_robin", [1] * 5, 2) == [[0, 2, 4], [1, 3]]
    assert partition("contiguous", [9, 1, 1, 1, 1, 1, 4], 2) == [[0], [1, 2, 3, 4, 5, 6]]


@pytest.mark.parametrize(
    ("kind", "number", "message"), [("odd", 1, "kind"), ("balanced", 0, "num_partitions")]
)
def test_arguments_out_of_range_are_refused(kind, number, message):
    with pytest.raises(ValueError, match=message):
        partition(kind, [1], number)
