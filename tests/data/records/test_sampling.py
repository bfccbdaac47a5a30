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


def test_random_is_uniform_and_with_replacement():
    drawn = draw("random", 20000, 4)
    np.testing.assert_allclose(np.bincount(drawn) / 20000, 0.25, atol=0.02)


def test_contiguous_is_one_run():
    for position in range(20):
        assert (np.diff(draw("contiguous", 5, 20, (0, position))) == 1).all()


def test_contiguous_repeats_the_last_frame_of_a_short_video():
    np.testing.assert_array_equal(draw("contiguous", 5, 3), [0, 1, 2, 2, 2])
