"""The layers of the attention models against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.layers.flat_product import flat_product
from yt8m.layers.normalisation.normalized_relu import NormalizedRelu
from yt8m.layers.pooling.unit_attention import UnitAttention

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
