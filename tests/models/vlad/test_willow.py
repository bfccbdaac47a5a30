"""WILLOW's models: numbers of weights as in the published code, and their options."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.models.core import registry

# The classes of the release of 2017, for which the networks were published.
CLASSES_OF_2017 = 4716


def assigned(width, clusters):
    """Weights of a soft assignment: a matrix, and γ and β for each cluster."""
    return width * clusters + 2 * clusters


def net_vlad(video, audio, clusters, centers=2):
    """Assignments and centres of both features, and the width of what they give."""
    weights = assigned(video, clusters) + assigned(audio, clusters // 2)
    if centers:
        weights += video * clusters + audio * (clusters // 2)
    return weights, video * clusters + audio * (clusters // 2)


def net_fv(video, audio, clusters):
    weights, width = net_vlad(video, audio, clusters)
    return weights + width, 2 * width  # as many scales as numbers in the centres


def soft_dbof(video, audio, clusters, gated):
    weights = assigned(video, clusters) + assigned(audio, clusters // 8)
    if gated:
        weights += clusters * video + video * clusters + 2 * clusters
    return weights, clusters + clusters // 8


def rest(frame, pooled, hidden, classes, gate=True, gated_classes=True):
    """Weights of all but the pooling: the normalized input, a layer, its gate and the mixture."""
    return (
        2 * frame
        + pooled * hidden
        + hidden
        + gate * (hidden * hidden + 2 * hidden)
        + hidden * classes * 3  # gates: two experts and the dummy
        + hidden * classes * 2
        + classes * 2  # experts
        + gated_classes * (classes * classes + 2 * classes)
    )


def expected(name, sizes, clusters, hidden, classes, gated):
    """Return the number of weights that the optimizer changes."""
    video, audio = sizes
    gate = True
    if name == "NetFvModel":
        pooling, width = net_fv(video, audio, clusters)
    elif name == "SoftDbofModel":
        (pooling, width), gate = soft_dbof(video, audio, clusters, gated), False
    else:
        pooling, width = net_vlad(video, audio, clusters, centers=name == "NetVladModel")
    return pooling + rest(video + audio, width, hidden, classes, gate, gated)


@pytest.mark.parametrize(
    ("name", "arguments", "clusters", "published"),
    [
        ("NetVladModel", {}, 256, 333_229_888),
        ("LightVladModel", {}, 256, 332_951_360),
        ("NetFvModel", {}, 128, 333_090_240),
        ("SoftDbofModel", {}, 4096, 63_793_216),
        (
            "SoftDbofModel",
            {"cluster_gating": False, "gating_probabilities": False},
            8000,
            41_712_680,
        ),
    ],
)
def test_as_many_weights_as_published(name, arguments, clusters, published):
    """Equal as functions of the sizes, and so at the published ones, which need gigabytes."""
    gated = not arguments
    assert expected(name, (1024, 128), clusters, 1024, CLASSES_OF_2017, gated) == published
    for sizes, small, hidden, classes in (((10, 3), 16, 5, 7), ((6, 4), 24, 3, 11)):
        model = registry.create(
            name,
            num_classes=classes,
            feature_sizes=sizes,
            cluster_size=small,
            hidden_size=hidden,
            **arguments,
        ).build_weights()
        weights = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
        assert weights == expected(name, sizes, small, hidden, classes, gated)


def test_the_widest_features_have_all_clusters_wherever_they_are():
    model = registry.create(
        "NetVladModel", num_classes=3, feature_sizes=(2, 6, 6), cluster_size=8, hidden_size=4
    ).build_weights()
    assert [pool.clusters for pool in model.pools] == [4, 8, 8]
    alone = registry.create("NetVladModel", num_classes=3, feature_sizes=(2,), cluster_size=8)
    assert [pool.clusters for pool in alone.pools] == [8]
    few = registry.create("SoftDbofModel", num_classes=3, feature_sizes=(6, 2), cluster_size=2)
    assert [(pool.clusters, pool.gated) for pool in few.pools] == [(2, True), (2, False)]


@pytest.mark.parametrize("option", ["gating", "gating_probabilities", "relu"])
def test_each_option_changes_the_predictions(option):
    inputs = {
        "frames": tf.constant(np.random.RandomState(0).randint(0, 256, (3, 5, 8)), tf.uint8),
        "num_frames": tf.constant([5, 2, 3]),
    }

    def predictions(value):
        tf.keras.utils.set_random_seed(1)
        model = registry.create(
            "NetVladModel",
            num_classes=4,
            feature_sizes=(6, 2),
            cluster_size=4,
            hidden_size=5,
            **{option: value},
        )
        return model.build_weights()(inputs, training=False).numpy()

    assert np.abs(predictions(True) - predictions(False)).max() > 1e-4
