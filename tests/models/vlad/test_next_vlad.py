"""NeXtVLAD and its mixture: numbers of weights as in the published code, and the distillation."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.losses.registry import get
from yt8m.models.core import registry
from yt8m.models.vlad.mix_next_vlad import divergence

CLASSES_OF_2018 = 3862


def pooling(width, clusters, groups, expansion):
    """Weights of one feature's NeXtVLAD, and the width of what it gives."""
    wide = expansion * width
    part = wide // groups
    weights = (
        (width * wide + wide)
        + (wide * groups + groups)  # attention
        + (wide * groups * clusters + 2 * groups * clusters)  # assignment and its normalization
        + part * clusters  # centres
        + 2 * part * clusters  # normalization of the residuals
    )
    return weights, part * clusters


def network(sizes, clusters, hidden, groups, expansion, reduction, classes):
    """Weights of a NeXtVLAD network with a logistic classifier."""
    video, of_video = pooling(sizes[0], clusters, groups, expansion)
    audio, of_audio = pooling(sizes[1], clusters // 2, groups // 2, expansion)
    inner = hidden // reduction
    return (
        (video + audio)
        + ((of_video + of_audio) * hidden + 2 * hidden)
        + (hidden * inner + 2 * inner + inner * hidden)
        + (hidden * classes + classes)
    )


def mixture(number, sizes, *rest):
    """Weights of a mixture of networks, whose shares are linear in the normalized mean."""
    frame = sum(sizes)
    return number * network(sizes, *rest) + 2 * frame + (frame * number + number)


def count(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def sizes_of(clusters, hidden, groups, expansion, reduction):
    return {
        "cluster_size": clusters,
        "hidden_size": hidden,
        "groups": groups,
        "expansion": expansion,
        "gating_reduction": reduction,
    }


@pytest.mark.parametrize("small", [(6, 8, 4, 2, 4), (8, 6, 2, 3, 2)])
def test_as_many_weights_as_published(small):
    """Equal as functions of the sizes, and so at the published ones."""
    published = (1024, 128), 128, 2048, 8, 2, 8, CLASSES_OF_2018
    assert network(*published) == 88_889_378
    model = registry.create(
        "NeXtVladModel", num_classes=7, feature_sizes=(12, 4), **sizes_of(*small)
    )
    assert count(model.build_weights()) == network((12, 4), *small, 7)


@pytest.mark.parametrize(("number", "small"), [(3, (6, 8, 4, 2, 4)), (2, (8, 6, 2, 3, 2))])
def test_a_mixture_has_as_many_weights_as_published(number, small):
    assert mixture(3, (1024, 128), 112, 2048, 8, 2, 16, CLASSES_OF_2018) == 235_935_273
    model = registry.create(
        "MixNeXtVladModel",
        num_classes=7,
        feature_sizes=(12, 4),
        mix_number=number,
        **sizes_of(*small),
    )
    assert count(model.build_weights()) == mixture(number, (12, 4), *small, 7)


def test_the_divergence_against_numpy():
    rng = np.random.default_rng(0)
    teacher, students = rng.normal(size=(2, 5)) * 3, rng.normal(size=(2, 3, 5)) * 3
    expected = np.zeros(2)
    for b in range(2):
        p = np.exp(teacher[b] / 2) / np.exp(teacher[b] / 2).sum()
        for n in range(3):
            q = np.exp(students[b, n] / 2) / np.exp(students[b, n] / 2).sum()
            expected[b] += (p * np.log(p / q)).sum()
    found = divergence(tf.constant(teacher), tf.constant(students), 2.0)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    same = tf.tile(tf.constant(teacher)[:, None], [1, 3, 1])
    np.testing.assert_allclose(divergence(tf.constant(teacher), same, 2.0), 0, atol=1e-12)


def mix(**arguments):
    tf.keras.utils.set_random_seed(1)
    small = sizes_of(4, 8, 2, 2, 2)
    return registry.create(
        "MixNeXtVladModel",
        num_classes=5,
        feature_sizes=(6, 2),
        dropout=0.0,
        **{**small, **arguments},
    ).build_weights()


def test_the_loss_is_that_of_the_mixture_of_each_network_and_their_divergence():
    rng = np.random.default_rng(0)
    inputs = {
        "frames": tf.constant(rng.integers(0, 256, (3, 4, 8)), tf.uint8),
        "num_frames": tf.constant([4, 2, 3]),
    }
    labels = (rng.random((3, 5)) < 0.4).astype(np.float32)
    loss = get("CrossEntropyLoss")
    model = mix(distillation=7.0, temperature=2.0)
    total, p = model.training_loss(inputs, labels, None, loss)
    mixed, each = mix().logits(inputs, training=True)  # its moving statistics are untouched
    expected = loss(labels, tf.sigmoid(mixed), None)
    for n in range(3):
        expected += loss(labels, tf.sigmoid(each[:, n]), None)
    expected += 7.0 * divergence(mixed, each, 2.0)
    np.testing.assert_allclose(total, expected, rtol=1e-5)
    np.testing.assert_allclose(p, tf.sigmoid(mixed), rtol=1e-5)
    shares = np.linalg.lstsq(each[0].numpy().T, mixed[0].numpy(), rcond=None)[0]
    assert np.all(shares > 0)
    assert shares.sum() == pytest.approx(1.0, abs=1e-3)
