"""The weight average against a NumPy loop, and its swap in and out."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.training import weight_average
from yt8m.training.weight_average import WeightAverage


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("large", [True, False], ids=["large", "small"])
def test_follows_the_warm_up_rule(large, replicas, mirrored, monkeypatch):
    monkeypatch.setattr(weight_average, "LARGE", 1 if large else 3)
    strategy = mirrored if replicas == 2 else tf.distribute.OneDeviceStrategy("/cpu:0")
    with strategy.scope():
        v = tf.Variable([1.0, 2.0])
        average = WeightAverage([v], 0.99)
    expected = v.numpy().astype(np.float64)

    @tf.function
    def move(step):
        average.update(strategy, step)

    graph = move.get_concrete_function(tf.constant(1, tf.int64)).graph
    compiled = [op for op in graph.get_operations() if op.type.endswith("PartitionedCall")]
    assert len(compiled) == (replicas if large else 0)
    for t in range(1, 30):
        v.assign(np.array([t, -t], np.float32))
        move(tf.constant(t, tf.int64))
        d = min(0.99, (1 + t) / (10 + t))
        expected = d * expected + (1 - d) * v.numpy()
    for shadow in strategy.experimental_local_results(average.shadows[0]):
        np.testing.assert_allclose(shadow, expected, rtol=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_follows_a_layer_of_any_policy(policy, monkeypatch):
    monkeypatch.setattr(weight_average, "LARGE", 1)
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    with strategy.scope():
        layer = tf.keras.layers.Dense(2, use_bias=False, dtype=policy)
        layer.build([None, 3])
        average = WeightAverage(layer.trainable_variables, 0.5)
    layer.kernel.assign(tf.ones([3, 2]))
    start = average.shadows[0].numpy()
    rate = 1.0 - 2.0 / 11.0  # the warm-up's, after one step

    tf.function(lambda step: average.update(strategy, step))(tf.constant(1, tf.int64))

    np.testing.assert_allclose(average.shadows[0], start + rate * (1.0 - start), rtol=1e-6)


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
