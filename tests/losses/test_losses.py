"""The losses against NumPy, the golden number, and their gradients against differences."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m import losses
from yt8m.errors import UserError
from yt8m.losses import registry
from yt8m.losses.registry import get

P = np.array([[0.9, 0.1, 0.3], [0.3, 0.6, 0.01]], np.float32)
Y = np.array([[1, 0, 1], [0, 1, 0]], np.uint8)


def _reference(name, y, p):
    """Return the terms [B, K] of a loss by its formula."""
    y, p = y.astype(np.float64), p.astype(np.float64)
    if name == "CrossEntropyLoss":
        return -(y * np.log(p + 1e-5) + (1 - y) * np.log(1 - p + 1e-5))
    if name == "BinaryCrossEntropyLoss":
        return -(y * np.log(p) + (1 - y) * np.log(1 - p))
    if name == "HingeLoss":
        return np.maximum(0, 1 - (2 * y - 1) * p)
    if name == "SoftmaxLoss":
        t = y / np.maximum(y.sum(-1, keepdims=True), 1e-7)
        return -t * (p - np.log(np.exp(p).sum(-1, keepdims=True)))
    if name == "SmoothedSoftmaxLoss":
        return -y / np.maximum(y.sum(-1, keepdims=True), 1e-7) * np.log(p)
    assert name == "FocalLoss"
    q, a = np.where(y > 0, p, 1 - p), np.where(y > 0, 0.25, 0.75)
    return -a * (1 - q) ** 2 * np.log(q)


NAMES = [
    "BinaryCrossEntropyLoss",
    "CrossEntropyLoss",
    "FocalLoss",
    "HingeLoss",
    "SmoothedSoftmaxLoss",
    "SoftmaxLoss",
]
every_loss = pytest.mark.parametrize("name", losses.list_losses())


def test_the_losses_of_the_package_are_registered_and_described():
    assert set(NAMES) <= set(losses.list_losses())
    described = losses.describe_losses()
    assert "CrossEntropyLoss (the starter code's, with 1e-5" in described
    assert all(name in described for name in losses.list_losses())


@every_loss
def test_a_loss_has_a_finite_gradient_at_and_beyond_the_ends(name):
    p = tf.Variable([[0.0, 1.0, 0.5, np.nextafter(np.float32(1), np.float32(2))]])
    for labels in ([[1, 0, 1, 1]], [[0, 1, 0, 0]], [[0, 0, 0, 0]]):
        with tf.GradientTape() as tape:
            loss = get(name)(tf.constant(labels, tf.uint8), p)
        assert loss.shape == (1,)
        assert loss.dtype == tf.float32
        assert np.isfinite(loss).all()
        assert np.isfinite(tape.gradient(loss, p)).all()


@every_loss
def test_a_class_of_weight_zero_costs_nothing(name):
    none = get(name)(tf.constant(Y), tf.constant(P), tf.zeros([2, 3]))
    np.testing.assert_array_equal(none, [0.0, 0.0])
    ones = get(name)(tf.constant(Y), tf.constant(P), tf.ones([2, 3]))
    np.testing.assert_allclose(ones, get(name)(tf.constant(Y), tf.constant(P)), rtol=1e-6)


@every_loss
def test_the_registry_knows_which_loss_is_a_sum_over_classes(name):
    each = [get(name)(tf.constant(Y[:, c : c + 1]), tf.constant(P[:, c : c + 1])) for c in range(3)]
    is_sum = np.allclose(tf.add_n(each), get(name)(tf.constant(Y), tf.constant(P)), rtol=1e-5)
    assert registry.sums_over_classes(name) == is_sum
    if is_sum:
        registry.check_by_class(name)
    else:
        with pytest.raises(UserError, match="CrossEntropyLoss, FocalLoss, HingeLoss"):
            registry.check_by_class(name)


def test_one_file_adds_a_loss(tmp_path, monkeypatch):
    (tmp_path / "squared_for_a_test.py").write_text(
        "import tensorflow as tf\n"
        "from yt8m.losses.registry import register, total\n"
        "@register('SquaredForATest', sums_over_classes=True, note='of a test')\n"
        "def squared(labels, predictions, weights=None):\n"
        "    return total(tf.square(tf.cast(labels, tf.float32) - predictions), weights)\n"
    )
    monkeypatch.setattr(losses, "__path__", [*losses.__path__, str(tmp_path)])
    monkeypatch.setattr(registry, "_LOSSES", dict(registry._LOSSES))
    assert "SquaredForATest" in losses.list_losses()
    assert "SquaredForATest (of a test)" in losses.describe_losses()
    assert float(get("SquaredForATest")(tf.constant([[1.0]]), tf.constant([[0.5]]))[0]) == 0.25
    registry.check_by_class("SquaredForATest")
    with pytest.raises(ValueError, match="two losses are registered as SquaredForATest"):
        registry.register("SquaredForATest")(lambda labels, predictions, weights: labels)


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_is_the_sum_over_classes_of_its_formula(name):
    loss = get(name)(tf.constant(Y), tf.constant(P))
    assert loss.shape == (2,)
    assert loss.dtype == tf.float32
    np.testing.assert_allclose(loss, _reference(name, Y, P).sum(-1), rtol=2e-4)


@pytest.mark.parametrize("name", NAMES)
def test_weights_multiply_each_class_before_the_sum(name):
    weights = np.array([[1, 0, 2], [0.5, 1, 0]], np.float32)
    loss = get(name)(tf.constant(Y), tf.constant(P), tf.constant(weights))
    np.testing.assert_allclose(loss, (weights * _reference(name, Y, P)).sum(-1), rtol=2e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_probability_rounded_above_one_costs_no_more_than_one(name):
    """The shares of a mixture sum to one up to rounding; a NaN would end the training."""
    p = tf.constant([[np.nextafter(np.float32(1), np.float32(2)), 1.0]])
    with tf.GradientTape() as tape:
        tape.watch(p)
        above = get(name)(tf.constant([[0, 0]], tf.uint8), p)
    one = get(name)(tf.constant([[0, 0]], tf.uint8), tf.ones([1, 2]))
    np.testing.assert_allclose(above, one, rtol=1e-3)
    assert np.isfinite(tape.gradient(above, p)).all()


def test_cross_entropy_has_the_golden_value():
    p, y = np.array([[0.9, 0.1], [0.3, 0.6]], np.float32), np.array([[1, 0], [0, 1]], np.uint8)
    loss = np.mean(get("CrossEntropyLoss")(tf.constant(y), tf.constant(p)))
    assert loss == pytest.approx(0.5390842124, abs=1e-6)


def test_cross_entropy_has_the_exact_gradient_even_at_zero_and_one():
    p = tf.Variable([[0.9, 0.1, 0.0, 1.0, 0.0, 1.0]])
    y = np.array([[1, 0, 1, 0, 0, 1]])
    with tf.GradientTape() as tape:
        loss = get("CrossEntropyLoss")(tf.constant(y, tf.uint8), p)
    q, v = p.numpy().astype(np.float64), y
    expected = -(v / (q + 1e-5) - (1 - v) / (1 - q + 1e-5))
    np.testing.assert_allclose(tape.gradient(loss, p), expected, rtol=1e-3)


@pytest.mark.parametrize("logit", [-18.0, -14.0, -8.0, 0.0])
def test_a_label_scored_near_zero_keeps_its_gradient_without_the_starters_epsilon(logit):
    """With it, at a logit of -14, eleven parts in twelve are gone."""

    def slope(name):
        x = tf.Variable([[logit]])
        with tf.GradientTape() as tape:
            loss = get(name)(tf.constant([[1]]), tf.sigmoid(x))
        return float(tape.gradient(loss, x)[0, 0])

    p = 1.0 / (1.0 + np.exp(-logit))
    assert slope("BinaryCrossEntropyLoss") == pytest.approx(-(1.0 - p) * p / (p + 1e-8), rel=1e-4)
    assert slope("CrossEntropyLoss") == pytest.approx(-(1.0 - p) * p / (p + 1e-5), rel=1e-4)


def test_a_certain_error_is_finite_without_the_starters_epsilon():
    p = tf.Variable([[0.0, 1.0]])
    with tf.GradientTape() as tape:
        loss = get("BinaryCrossEntropyLoss")(tf.constant([[1, 0]]), p)
    assert float(loss[0]) == pytest.approx(2 * np.log(1e8), rel=1e-4)
    assert np.all(np.isfinite(tape.gradient(loss, p)))


@pytest.mark.parametrize("dtype", [tf.bool, tf.uint8, tf.int64, tf.float32])
def test_labels_of_any_kind_give_the_same_loss(dtype):
    same = get("CrossEntropyLoss")(tf.cast(Y, dtype), tf.constant(P))
    np.testing.assert_allclose(same, _reference("CrossEntropyLoss", Y, P).sum(-1), rtol=1e-4)


def test_a_video_without_labels_costs_nothing_in_softmax():
    np.testing.assert_allclose(
        get("SoftmaxLoss")(tf.zeros([1, 3], tf.uint8), tf.constant(P[:1])), [0.0]
    )


def test_an_unknown_name_is_the_users_mistake():
    with pytest.raises(UserError, match=r"label_loss.*CrossEntropyLoss"):
        get("CrossEntropyLos")
