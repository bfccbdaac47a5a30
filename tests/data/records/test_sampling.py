"""The seed alone decides which frames are drawn."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.data.records.sampling import FrameSampling


def draw(kind, n, available, seed=(0, 0)):
    return (
        FrameSampling(kind, n).indices(tf.constant(available), tf.constant(seed, tf.int64)).numpy()
    )


def test_all():
    np.testing.assert_array_equal(draw("all", 0, 5), np.arange(5))


def test_even():
    np.testing.assert_array_equal(draw("even", 4, 8), [1, 3, 5, 7])
    np.testing.assert_array_equal(draw("even", 4, 2), [0, 0, 1, 1])


@pytest.mark.parametrize("kind", ["random", "contiguous"])
def test_drawn_within_the_video_and_by_seed(kind):
    draws = [draw(kind, 5, 20, (7, position)) for position in range(200)]
    assert min(d.min() for d in draws) == 0
    assert max(d.max() for d in draws) == 19
    np.testing.assert_array_equal(draws[3], draw(kind, 5, 20, (7, 3)))
    assert any((d != draw(kind, 5, 20, (8, i))).any() for i, d in enumerate(draws))


def test_spread_draws_from_each_part_in_order():
    draws = np.array([draw("spread", 5, 20, (0, position)) for position in range(300)])
    np.testing.assert_array_equal(draws // 4, np.tile(np.arange(5), (300, 1)))
    np.testing.assert_allclose(np.bincount(draws.ravel()) / 300, 0.25, atol=0.1)
    for available in (7, 13, 299):  # parts that are no whole number of frames
        picked = draw("spread", 5, available)
        assert (np.diff(picked) >= 0).all()
        assert 0 <= picked[0] < picked[-1] < available


def test_spread_takes_all_of_a_shorter_video():
    for available in (1, 3, 5):
        for position in range(50):
            drawn = draw("spread", 5, available, (0, position))
            np.testing.assert_array_equal(drawn, np.arange(available))


def test_random_is_uniform_and_with_replacement():
    drawn = draw("random", 20000, 4)
    np.testing.assert_allclose(np.bincount(drawn) / 20000, 0.25, atol=0.02)


def test_contiguous_is_one_run():
    for position in range(20):
        assert (np.diff(draw("contiguous", 5, 20, (0, position))) == 1).all()


def test_contiguous_repeats_the_last_frame_of_a_short_video():
    np.testing.assert_array_equal(draw("contiguous", 5, 3), [0, 1, 2, 2, 2])
