"""Convolutions over time: lengths, and independence of the padding in training and inference."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.layers.masks import first_positions, masked
from yt8m.layers.residual_1d import Bottleneck1D, ConvNorm1D, max_pool, strided
from yt8m.models.core import registry

RNG = np.random.default_rng(0)


def frames(lengths, total, width=6):
    x = tf.constant(RNG.normal(size=(len(lengths), total, width)), tf.float32)
    counts = tf.constant(lengths, tf.int32)
    return masked(x, first_positions(total, counts)), counts


def test_lengths_are_those_of_the_paper():
    lengths, n = [300], 300
    for stride in (2, 2, 1, 2, 2, 2):
        n = strided(n, stride)
        lengths.append(n)
    assert lengths == [300, 150, 75, 75, 38, 19, 10]
    x, counts = frames([300, 299, 1], 300, 2)
    seen = []
    x, counts = ConvNorm1D(4, 7, 2)(x, counts=counts)
    seen.append(x.shape[1])
    x, counts = max_pool(x, counts)
    seen.append(x.shape[1])
    for stride in (1, 2, 2, 2):
        x, counts = Bottleneck1D(8, stride)(x, counts=counts)
        seen.append(x.shape[1])
    assert seen == lengths[1:]
    np.testing.assert_array_equal(counts, [10, 10, 1])


def test_a_convolution_is_that_of_the_true_frames_alone():
    layer = ConvNorm1D(3, 3, activation=False)
    x, counts = frames([5, 2], 7)
    got, _ = layer(x, counts=counts)
    kernel = layer.conv.kernel.numpy()
    scale = 1.0 / np.sqrt(1.0 + 1e-3)  # what the normalisation does before any step
    for row, length in enumerate((5, 2)):
        padded = np.pad(x.numpy()[row, :length], [(1, 1), (0, 0)])
        expected = [
            np.einsum("kd,kdf->f", padded[t : t + 3], kernel) * scale for t in range(length)
        ]
        np.testing.assert_allclose(got[row, :length], expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(got[row, length:], 0)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("stride", "width"), [(1, 6), (1, 8), (2, 8)])
def test_padding_changes_nothing(stride, width, training):
    layer = Bottleneck1D(width, stride)
    x, counts = frames([7, 4, 1], 7)
    longer = tf.pad(x, [[0, 0], [0, 4], [0, 0]])
    layer(x, counts=counts)
    statistics = [w.numpy() for w in layer.non_trainable_weights]
    short, left = layer(x, counts=counts, training=training)
    for w, value in zip(layer.non_trainable_weights, statistics):
        w.assign(value)
    long, _ = layer(longer, counts=counts, training=training)
    np.testing.assert_allclose(long[:, : short.shape[1]], short, atol=1e-5)
    np.testing.assert_array_equal(long[:, short.shape[1] :], 0)
    np.testing.assert_array_equal(left, [strided(n, stride) for n in (7, 4, 1)])


def test_the_maximum_of_the_last_frames_does_not_reach_into_the_padding():
    """⌈n / 2⌉ positions count, but the next window still sees the last of an even number."""
    x, counts = frames([4, 3], 8)
    pooled, left = max_pool(tf.abs(x), counts)
    np.testing.assert_array_equal(left, [2, 2])
    np.testing.assert_array_equal(pooled[:, 2:], np.zeros_like(pooled[:, 2:]))
    # In a single stage, no later convolution would mask it before the average over time.
    model = registry.create(
        "ResNet1D", num_classes=5, feature_sizes=(6,), first_width=8, widths=[8], blocks=[2]
    ).build_weights()
    inputs = tf.constant(RNG.integers(0, 256, (1, 8, 6)), tf.uint8)
    longer = tf.pad(inputs, [[0, 0], [0, 8], [0, 0]])
    p = [
        model({"frames": f, "num_frames": tf.constant([8])}, training=False)
        for f in (inputs, longer)
    ]
    np.testing.assert_allclose(p[0], p[1], atol=1e-6)


def test_a_shortcut_is_a_convolution_where_the_shape_changes_alone():
    same, wider, shorter = Bottleneck1D(6), Bottleneck1D(8), Bottleneck1D(6, 2)
    x, counts = frames([4], 4)
    for layer in (same, wider, shorter):
        layer(x, counts=counts)
    assert same.shortcut is None
    assert wider.shortcut is not None
    assert shorter.shortcut is not None


def test_the_published_network_has_the_weights_of_the_spec():
    def convolution(kernel, channels, width):
        return kernel * channels * width

    model = registry.create("ResNet1D", num_classes=3)
    total, channels = convolution(7, 1152, 512), 512
    for block in model.stages:
        inner = block.width // 4
        total += (
            convolution(1, channels, inner)
            + convolution(3, inner, inner)
            + convolution(1, inner, block.width)
        )
        total += (
            convolution(1, channels, block.width)
            if block.stride == 2 or channels != block.width
            else 0
        )
        channels = block.width
    assert [b.width for b in model.stages] == [512] * 3 + [1024] * 4 + [2048] * 6 + [4096] * 3
    assert [i for i, b in enumerate(model.stages) if b.stride == 2] == [3, 7, 13]
    assert total == pytest.approx(68e6, rel=0.01)
    with pytest.raises(ValueError, match="one number per stage"):
        registry.create("ResNet1D", num_classes=3, widths=[8, 8], blocks="1")


def test_all_positions_count_the_padding_as_zeros():
    small = {
        "num_classes": 3,
        "feature_sizes": (4,),
        "first_width": 8,
        "widths": "8,8",
        "blocks": [1, 1],
    }
    model = registry.create("ResNet1D", **small, pool="all").build_weights()
    same = registry.create("ResNet1D", **small).build_weights()
    same.set_weights(model.get_weights())
    bytes_ = tf.constant(RNG.integers(0, 256, (2, 16, 4)), tf.uint8)
    whole, part = tf.constant([16, 16]), tf.constant([16, 5])
    np.testing.assert_allclose(
        model({"frames": bytes_, "num_frames": whole}),
        same({"frames": bytes_, "num_frames": whole}),
        atol=1e-6,
    )
    assert (
        np.abs(
            model({"frames": bytes_, "num_frames": part})[1]
            - same({"frames": bytes_, "num_frames": part})[1]
        ).max()
        > 1e-6
    )
