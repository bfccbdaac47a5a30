"""The layers of the attention models against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.layers.flat_product import flat_product
from yt8m.layers.normalisation.normalized_relu import NormalizedRelu
from yt8m.layers.pooling.shifting_attention import ShiftingAttention
from yt8m.layers.pooling.unit_attention import UnitAttention
from yt8m.layers.transformer.attentive_probe import AttentiveProbe
from yt8m.layers.transformer.class_token import ClassToken
from yt8m.layers.transformer.encoder_block import EncoderBlock
from yt8m.layers.transformer.positions import PlaceEmbedding

B, T, D, U = 3, 5, 4, 6
RNG = np.random.default_rng(0)
X = RNG.normal(size=(B, T, D)).astype(np.float32)
N = np.array([5, 2, 0])
MASK = np.arange(T)[None] < N[:, None]


def scattered(layer, *args, **kwargs):
    """Return the layer with weights that are all different, as float32 arrays."""
    layer(*args, **kwargs)
    layer.set_weights([RNG.normal(size=w.shape).astype(np.float32) for w in layer.get_weights()])
    return layer


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


@pytest.mark.parametrize("leading", [(7,), (2, 3), (2, 3, 2)])
def test_a_flat_product_is_the_product(leading):
    x, kernel = RNG.normal(size=(*leading, D)), RNG.normal(size=(D, U))
    y = flat_product(tf.constant(x), kernel, np.arange(U))
    np.testing.assert_allclose(y, x @ kernel + np.arange(U), atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_normalized_relu_against_numpy(training):
    layer = NormalizedRelu(U, dropout=0.0)
    layer(tf.constant(X), mask=tf.constant(MASK))
    kernel, bias, gamma, beta, mean, variance = (
        RNG.uniform(0.2, 1.0, size).astype(np.float32) for size in ((D, U), U, U, U, U, U)
    )
    for weight, value in zip((layer.kernel, layer.bias), (kernel, bias)):
        weight.assign(value)
    norm = layer.norm
    for weight, value in zip(
        (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance),
        (gamma, beta, mean, variance),
    ):
        weight.assign(value)
    y = layer(tf.constant(X), mask=tf.constant(MASK), training=training).numpy()
    z = X @ kernel + bias
    if training:
        mean, variance = z[MASK].mean(0), z[MASK].var(0)
    expected = np.maximum(gamma * (z - mean) / np.sqrt(variance + 1e-3) + beta, 0)
    np.testing.assert_allclose(y[MASK], expected[MASK], rtol=1e-4, atol=1e-5)
    if training:  # the first batch replaces the initial statistics, and has the bias in its mean
        np.testing.assert_allclose(norm.moving_mean, mean, rtol=1e-4, atol=1e-5)


def test_dropout_is_of_training_alone():
    layer = NormalizedRelu(U, dropout=0.5)
    x = tf.constant(RNG.normal(size=(40, 50, D)), tf.float32)
    trained, plain = layer(x, training=True).numpy(), layer(x, training=False).numpy()
    assert 0.7 < np.mean(trained == 0) < 0.8  # half by ReLU, and half of the others by dropout
    assert 0.4 < np.mean(plain == 0) < 0.6


@pytest.mark.parametrize("value", ["linear", "sigmoid"])
@pytest.mark.parametrize("weight", ["sigmoid", "softmax"])
def test_unit_attention_against_numpy(value, weight):
    layer = scattered(UnitAttention(U, value, weight), tf.constant(X), mask=tf.constant(MASK))
    found = layer(tf.constant(X), mask=tf.constant(MASK)).numpy()
    value_kernel, value_bias, weight_kernel, weight_bias = layer.get_weights()
    for video in (0, 1):
        x = X[video, : N[video]]
        c = x @ value_kernel + value_bias
        c = sigmoid(c) if value == "sigmoid" else c
        a = (sigmoid if weight == "sigmoid" else softmax)(x @ weight_kernel + weight_bias)
        a = np.clip(a, 1e-7, 1 - 1e-7)
        np.testing.assert_allclose(found[video], (a * c).sum(0) / a.sum(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found[2], 0)


def test_unit_attention_starts_at_the_priors_if_told_to():
    for initial, expected in (("priors", [0.1, 0.02]), ("zeros", [0.5, 0.5])):
        layer = UnitAttention(2, initial=initial)
        layer(tf.zeros([1, T, D]))
        layer.initialize_from_priors(np.array([0.1, 0.02]))
        np.testing.assert_allclose(layer(tf.zeros([1, T, D]))[0], expected, rtol=1e-4)


def test_shifting_attention_against_numpy():
    layer = scattered(ShiftingAttention(3), tf.constant(X), mask=tf.constant(MASK))
    found = layer(tf.constant(X), mask=tf.constant(MASK)).numpy()
    kernel, bias, alpha, beta = layer.get_weights()
    for video in (0, 1):
        x = X[video, : N[video]]
        a = softmax(x @ kernel + bias, axis=0)  # [T, 3]
        shifted = alpha[:, None] * (a.T @ x) + beta[:, None]
        length = np.linalg.norm(shifted, axis=-1, keepdims=True)
        expected = (shifted / length / np.sqrt(3)).ravel()
        np.testing.assert_allclose(found[video], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found[:2], axis=-1), 1, rtol=1e-5)


def test_scales_and_shifts_start_apart():
    layer = ShiftingAttention(1000)
    layer.build((None, None, D))
    alpha, beta = np.asarray(layer.alpha), np.asarray(layer.beta)
    assert abs(np.corrcoef(alpha, beta)[0, 1]) < 0.2
    np.testing.assert_allclose([alpha.std(), beta.std()], 1000**-0.25, rtol=0.1)


def layer_norm(x, gamma, beta):
    x = x - x.mean(-1, keepdims=True)
    return gamma * x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) + beta


def attention(q, k, v, heads):
    """Return the attention of a video's frames without padding, head by head."""
    size = q.shape[-1] // heads
    parts = [slice(h * size, (h + 1) * size) for h in range(heads)]
    return np.concatenate(
        [softmax(q[:, p] @ k[:, p].T / np.sqrt(size)) @ v[:, p] for p in parts], -1
    )


def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def test_an_encoder_block_against_numpy():
    layer = scattered(EncoderBlock(2, 7), tf.constant(X), mask=tf.constant(MASK))
    found = layer(tf.constant(X), mask=tf.constant(MASK)).numpy()
    parts = [
        f"{part}_{kind}" for part in ("qkv", "out", "up", "down") for kind in ("kernel", "bias")
    ]
    w = {part: np.asarray(getattr(layer, part)) for part in parts}
    norms = [
        (np.asarray(n.gamma), np.asarray(n.beta)) for n in (layer.attention_norm, layer.mlp_norm)
    ]
    for video in (0, 1):
        x = X[video, : N[video]]
        q, k, v = np.split(layer_norm(x, *norms[0]) @ w["qkv_kernel"] + w["qkv_bias"], 3, -1)
        x = x + attention(q, k, v, 2) @ w["out_kernel"] + w["out_bias"]
        y = gelu(layer_norm(x, *norms[1]) @ w["up_kernel"] + w["up_bias"])
        x = x + y @ w["down_kernel"] + w["down_bias"]
        np.testing.assert_allclose(found[video, : N[video]], x, rtol=1e-3, atol=1e-4)


def test_an_attentive_probe_against_numpy():
    layer = scattered(AttentiveProbe(2), tf.constant(X), mask=tf.constant(MASK))
    found = layer(tf.constant(X), mask=tf.constant(MASK)).numpy()
    query, kv_kernel, kv_bias, out_kernel, out_bias = layer.get_weights()
    for video in (0, 1):
        x = X[video, : N[video]]
        k, v = np.split(x @ kv_kernel + kv_bias, 2, -1)
        expected = attention(query[None], k, v, 2)[0] @ out_kernel + out_bias
        np.testing.assert_allclose(found[video], expected, rtol=1e-4, atol=1e-5)


def test_heads_divide_the_width():
    for layer in (EncoderBlock(heads=3), AttentiveProbe(heads=3)):
        with pytest.raises(ValueError, match="heads=3 must divide the width, 4"):
            layer.build((None, None, 4))


def test_a_class_token_comes_first():
    layer = scattered(ClassToken(), tf.constant(X))
    x = layer(tf.constant(X))
    np.testing.assert_array_equal(x[:, 0], np.tile(layer.get_weights()[0], (B, 1)))
    np.testing.assert_array_equal(x[:, 1:], X)


def test_sinusoidal_places_against_numpy():
    x = tf.zeros([2, 4, 6])
    found = PlaceEmbedding()(x, num_frames=tf.constant([4, 2])).numpy()
    for video, count in enumerate((4, 2)):
        for t in range(count):
            angles = 300 * (t + 0.5) / count / 10000.0 ** (np.arange(3) / 3)
            expected = np.concatenate([np.sin(angles), np.cos(angles)])
            np.testing.assert_allclose(found[video, t], expected, atol=1e-4)


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_every_third_frame_has_the_place_of_the_three_in_their_middle(positions):
    layer = PlaceEmbedding(positions, entries=5)
    whole = layer(tf.zeros([1, 15, 6]), num_frames=tf.constant([15])).numpy()
    drawn = layer(tf.zeros([1, 7, 6]), num_frames=tf.constant([5])).numpy()
    np.testing.assert_allclose(whole[:, 1::3], drawn[:, :5], atol=1e-4)
    assert len({tuple(row) for row in drawn[0, :5].round(4)}) == 5
