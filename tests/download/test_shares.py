"""Shares are deterministic, nested and of the right size; the starter's parts are disjoint."""

import itertools
import random
from fractions import Fraction

import pytest

from yt8m.download.published import Partition
from yt8m.download.shares import choose
from yt8m.errors import UserError

NAMES = Partition("2018", "video", "train").usual_names()


def test_a_share_does_not_change():
    """Users have these files on disk; another choice would download others."""
    chosen = choose(NAMES, "1/1000", 0)
    assert chosen == [f"train{two}.tfrecord" for two in ("Ix", "Wy", "qP", "sT")]
    assert choose(reversed(NAMES), "0.001", 0) == chosen


@pytest.mark.parametrize("seed", range(5))
def test_a_larger_share_contains_a_smaller_one(seed):
    rng = random.Random(seed)
    fractions = sorted({Fraction(rng.randint(1, 200), 200) for _ in range(12)} | {Fraction(1)})
    shares = [set(choose(NAMES, str(f), seed)) for f in fractions]
    assert all(small <= large for small, large in itertools.pairwise(shares))
    for fraction, share in zip(fractions, shares):
        assert abs(len(share) - fraction * len(NAMES)) <= Fraction(1, 2)
    assert shares[-1] == set(NAMES)


def test_other_seeds_take_other_files():
    shares = [set(choose(NAMES, "1/10", seed)) for seed in range(4)]
    for one, other in itertools.combinations(shares, 2):
        assert 10 < len(one & other) < 80  # 38 are expected of 384


def test_files_are_taken_from_everywhere():
    """First characters of the names are as frequent in a share as in the whole."""
    chosen = choose(NAMES, "1/4", 0)
    for first in "aZ0m":
        assert 5 <= sum(n[len("train")] == first for n in chosen) <= 27  # 15.5 are expected


def test_at_least_one_file():
    assert len(choose(NAMES[:5], "1/100", 0)) == 1


@pytest.mark.parametrize("parts", [1, 2, 7, 100])
def test_the_starter_parts_are_disjoint_and_complete(parts):
    chosen = [choose(NAMES, f"{k},{parts}", 0) for k in range(1, parts + 1)]
    assert sorted(name for part in chosen for name in part) == sorted(NAMES)


def test_the_starter_parts_have_the_published_sizes():
    """A public log of the starter code's script counts these files (docs/sources.md)."""
    for split, files in ("train", 5), ("validate", 5), ("test", 4):
        names = Partition("2018", "frame", split).usual_names()
        assert len(choose(names, "1,1000", 0)) == files


@pytest.mark.parametrize("share", ["0", "2", "-1/3", "1/0", "x", "", "3,2", "0,2", "1,2,3", "nan"])
def test_other_shares_are_refused(share):
    with pytest.raises(UserError, match=r"--share="):
        choose(NAMES, share, 0)


def test_a_seed_does_not_go_with_a_part():
    with pytest.raises(UserError, match="has no seed"):
        choose(NAMES, "1,2", 3)
    with pytest.raises(UserError, match="holds none of the 3 files"):
        choose(NAMES[:3], "1,100000", 0)
