"""Attention clusters: the published sizes, and a cluster for each feature."""

import numpy as np
import tensorflow as tf

from tests.support.models import batch_for, make
from yt8m.models.core import registry

SIZES, UNITS, K = (1024, 128), 32, 3862  # the published configuration


def dense(inputs, units):
    return inputs * units + units


def test_as_many_weights_as_in_the_published_code():
    model = registry.create("AttentionClusterModel", num_classes=K, feature_sizes=SIZES)
    model.build_weights()
    clusters = sum(dense(size, UNITS) + 2 * UNITS for size in SIZES)  # α and β are numbers
    layers = dense(UNITS * sum(SIZES), 1024) + dense(1024, 4096) + dense(4096, K)
    weights = sum(int(np.prod(w.shape)) for w in model.trainable_variables)
    assert weights == clusters + layers


def test_each_feature_has_a_cluster_of_its_own():
    model = make("AttentionClusterModel")
    inputs = batch_for(model)
    x, mask = model.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
    rgb, audio = (
        cluster(part, mask=mask) for cluster, part in zip(model.clusters, tf.split(x, [12, 4], -1))
    )
    v = tf.concat([rgb, audio], -1)
    assert v.shape[-1] == model.clusters[0].units * 16
    for layer in model.hidden:
        v = layer(v)
    np.testing.assert_allclose(model.head(v), model(inputs, training=False), atol=1e-6)
