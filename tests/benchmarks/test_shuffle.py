"""The measure of a shuffle knows a perfect one and none, and describes the pipeline's."""

import numpy as np
import pytest

from benchmarks.shuffle.gap import sorted_shards
from benchmarks.shuffle.mixing import Reading, epoch, mixing, shard_sizes
from tests.support.records import Maker, read, stream

SIZES = shard_sizes(100, 50, 5)


def test_a_perfect_shuffle_gives_1():
    shards = np.random.default_rng(0).permutation(np.repeat(np.arange(100), SIZES))
    found = mixing(shards, np.arange(len(shards)), 64)
    assert found.within == pytest.approx(1, abs=0.1)
    assert found.successive == pytest.approx(1, abs=0.1)
    assert found.different == pytest.approx(100 * (1 - 0.99**64), rel=0.05)
    whole = mixing(*epoch(SIZES, Reading(8, 10_000), seed=1), 64)
    assert whole.within == pytest.approx(1, abs=0.1)
    assert whole.moved == pytest.approx(len(shards) / 3, rel=0.05)


def test_reading_shard_by_shard_gives_much_more():
    shards, places = epoch(SIZES, Reading(1, 1), seed=1)
    np.testing.assert_array_equal(places, np.arange(SIZES.sum()))
    found = mixing(shards, places, 50)
    assert found.within > 40
    assert found.different < 3
    assert found.moved == 0


def test_more_shards_and_a_larger_buffer_mix_better():
    found = [
        mixing(*epoch(SIZES, Reading(*numbers), seed=1), 64).within
        for numbers in ((8, 16), (8, 256), (64, 256), (64, 2048))
    ]
    assert found == sorted(found, reverse=True)
    assert found[0] > 10 > 2 > found[-1]


@pytest.mark.parametrize("reading", [Reading(8, 64), Reading(32, 64), Reading(64, 200)])
def test_it_describes_the_pipeline(tmp_path, reading):
    make = Maker(tmp_path)
    files = make.shards("video", 1600, 80)  # video i is in shard i modulo 80
    ids = stream(
        files,
        make.video,
        batch_size=32,
        training=True,
        shuffle_shards=reading.shards,
        shuffle_buffer=reading.buffer,
    )["id"]
    real = np.array([int(i[1:]) % 80 for i in ids])
    there = mixing(real, np.arange(len(real)), 32)
    here = mixing(*epoch(np.full(80, 20), reading, seed=1), 32)
    assert here.within == pytest.approx(there.within, rel=0.15)
    assert here.different == pytest.approx(there.different, rel=0.05)


def test_the_worst_case_holds_the_same_records(tmp_path):
    make = Maker(tmp_path)
    pattern = sorted_shards(make.shards("video", 60, 4), tmp_path / "sorted")
    _, found = read(pattern, 10)
    assert sorted(found["id"]) == sorted(b"v%d" % i for i in range(60))
    first = found["labels"].argmax(1)  # read without a shuffle, one shard after the other
    assert list(first) == sorted(first)
