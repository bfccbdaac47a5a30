"""The weight average against a NumPy loop, and its swap in and out."""

import numpy as np
import tensorflow as tf

from yt8m.training.weight_average import WeightAverage


def test_follows_the_warm_up_rule():
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    with strategy.scope():
        v = tf.Variable([1.0, 2.0])
        average = WeightAverage([v], 0.99)
    expected = v.numpy().astype(np.float64)

    @tf.function
    def move(step):
        average.update(strategy, step)

    for t in range(1, 30):
        v.assign(np.array([t, -t], np.float32))
        move(tf.constant(t, tf.int64))
        d = min(0.99, (1 + t) / (10 + t))
        expected = d * expected + (1 - d) * v.numpy()
    np.testing.assert_allclose(average.shadows[0], expected, rtol=1e-5)


def test_applied_swaps_and_restores():
    v = tf.Variable([1.0])
    average = WeightAverage([v], 0.9)
    v.assign([5.0])
    with average.applied():
        assert float(v[0]) == 1.0
    assert float(v[0]) == 5.0


def test_decay_zero_changes_nothing():
    v = tf.Variable([1.0])
    average = WeightAverage([v], 0.0)
    assert not average.shadows
    with average.applied():
        assert float(v[0]) == 1.0
