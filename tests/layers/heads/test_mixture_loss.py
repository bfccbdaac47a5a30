"""The loss in one pass over the logits equals the mixture followed by the loss."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.compat import tf_variable
from yt8m.layers.heads import mixture_loss
from yt8m.layers.heads.mixture_of_experts import MixtureOfExperts
from yt8m.losses import get
from yt8m.losses.registry import list_losses, sums_over_classes

B, D, K = 6, 5, 7
SUMS = [name for name in list_losses() if sums_over_classes(name)]


@pytest.fixture(autouse=True)
def any_size(monkeypatch):
    monkeypatch.setattr(mixture_loss, "LARGE", 0)


def both_ways(dtype, loss, weights=None, **arguments):
    """Return (loss, predictions, gradients of x and the weights), in one pass and plainly."""
    tf.keras.utils.set_random_seed(3)
    layer = MixtureOfExperts(K, **arguments, dtype="mixed_bfloat16" if dtype != "float32" else None)
    layer.build((None, D))
    rng = np.random.default_rng(0)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    variables = [tf_variable(v) for v in layer.trainable_variables]
    labels = tf.constant(rng.random((B, K)) < 0.4, tf.uint8)
    each = tf.constant(rng.normal(size=[B]), tf.float32)  # weight of each video in the total

    @tf.function
    def run(x, fused):
        with tf.GradientTape() as tape:
            tape.watch(x)
            p = layer(x)
            if fused:
                found, p = mixture_loss.loss_and_predictions(p, loss, labels, weights)
            else:
                found = loss(labels, p, weights)
            total = tf.reduce_sum(found * each)
        return [found, p, *tape.gradient(total, [x, *variables])]

    x = tf.constant(rng.normal(size=[B, D]), dtype)
    return [[tf.cast(t, tf.float32).numpy() for t in run(x, fused)] for fused in (True, False)]


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("weighted", [False, True])
def test_values_and_gradients(name, weighted):
    weights = tf.random.stateless_uniform([B, K], [1, 2]) if weighted else None
    for found, expected in zip(*both_ways("float32", get(name), weights)):
        # Where 1 − p is small, its rounding is a larger share of the gradient.
        np.testing.assert_allclose(found, expected, rtol=3e-4, atol=3e-5)


@pytest.mark.parametrize(
    "arguments",
    [
        {"num_mixtures": 1},
        {"num_mixtures": 4, "expert_bias": False},
        {"dummy_expert": False, "activation": None},
    ],
)
def test_every_kind_of_mixture(arguments):
    for found, expected in zip(*both_ways("float32", get("HingeLoss"), **arguments)):
        # Where 1 − p is small, its rounding is a larger share of the gradient.
        np.testing.assert_allclose(found, expected, rtol=3e-4, atol=3e-5)


def test_bfloat16_differs_by_its_rounding_alone():
    for found, expected in zip(*both_ways("bfloat16", get("CrossEntropyLoss"))):
        np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.02 * np.abs(expected).max())


def test_other_predictions_have_no_such_pass(monkeypatch):
    layer, loss = MixtureOfExperts(K), get("CrossEntropyLoss")
    p, labels = layer(tf.ones([B, D])), tf.zeros([B, K])
    assert mixture_loss.loss_and_predictions(p, loss, labels, None) is not None
    assert mixture_loss.loss_and_predictions(p * 1.0, loss, labels, None) is None
    monkeypatch.setattr(mixture_loss, "LARGE", B * 5 * K + 1)
    assert mixture_loss.loss_and_predictions(p, loss, labels, None) is None
