"""Losses on targets between 0 and 1 are what NumPy says, and have finite gradients."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.losses.registry import get
from yt8m.losses.soft_targets import Distillation, distilled, objective, on_soft_labels

B, K = 5, 7


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    y, p, q, weights = (rng.random((B, K)).astype(np.float32) for _ in range(4))
    return np.round(y), p, q, weights


def cross_entropy(target, p):
    p = p.astype(np.float64)
    return -target * np.log(p) - (1 - target) * np.log(1 - p)


def softened(x, temperature):
    x = x.astype(np.float64)
    return 1 / (1 + np.exp(-np.log(x / (1 - x)) / temperature))


def test_a_loss_on_soft_labels_is_its_expectation(drawn):
    _, p, q, weights = drawn
    for name in ("BinaryCrossEntropyLoss", "FocalLoss"):
        loss = get(name)
        found = on_soft_labels(loss)(tf.constant(q), tf.constant(p), tf.constant(weights))
        yes, no = (
            np.stack([loss(np.full((B, 1), y), p[:, c : c + 1], None) for c in range(K)], 1)
            for y in (1.0, 0.0)
        )
        np.testing.assert_allclose(found, (weights * (q * yes + (1 - q) * no)).sum(1), rtol=1e-5)
    found = on_soft_labels(get("BinaryCrossEntropyLoss"))(tf.constant(q), tf.constant(p))
    np.testing.assert_allclose(found, cross_entropy(q, p).sum(1), rtol=1e-5)


@pytest.mark.parametrize(("weight", "temperature"), [(0.3, 1.0), (0.5, 4.0), (1.0, 2.0)])
def test_distillation_against_numpy(drawn, weight, temperature):
    y, p, q, weights = drawn
    q[1], q[2, 3] = -1, -1  # a video and a class of which the teacher says nothing
    known = q >= 0
    of_labels = cross_entropy(y, p)
    of_teacher = temperature**2 * cross_entropy(
        softened(np.where(known, q, 0.5), temperature), softened(p, temperature)
    )
    each = np.where(known, (1 - weight) * of_labels + weight * of_teacher, of_labels)
    loss = distilled(
        get("BinaryCrossEntropyLoss"), tf.constant(q), Distillation(weight, temperature)
    )
    np.testing.assert_allclose(loss(y, tf.constant(p), None), each.sum(1), rtol=1e-4)
    np.testing.assert_allclose(
        loss(y, tf.constant(p), tf.constant(weights)), (weights * each).sum(1), rtol=1e-4
    )
    # As the fused loss of a mixture calls it.
    columns = loss(y.reshape(-1, 1), tf.reshape(p, [-1, 1]), None)
    np.testing.assert_allclose(tf.reshape(columns, [B, K]), each, rtol=1e-4, atol=1e-6)


def test_a_student_that_answers_like_its_teacher_has_no_gradient(drawn):
    _, _, q, _ = drawn
    p = tf.constant(q)
    loss = distilled(get("BinaryCrossEntropyLoss"), tf.constant(q), Distillation(1.0, 3.0))
    with tf.GradientTape() as tape:
        tape.watch(p)
        total = tf.reduce_sum(loss(tf.zeros_like(p), p, None))
    np.testing.assert_allclose(tape.gradient(total, p), np.zeros((B, K)), atol=1e-4)


def test_certain_answers_have_finite_gradients():
    p, q = tf.constant([[0.0, 1.0, 0.0, 1.0]]), tf.constant([[1.0, 0.0, 0.0, -1.0]])
    loss = objective(get("CrossEntropyLoss"), True, q, Distillation(0.5, 2.0))
    with tf.GradientTape() as tape:
        tape.watch(p)
        total = loss(tf.constant([[1.0, 0.5, 0.0, 0.25]]), p, None)
    assert np.isfinite(total).all()
    gradient = tape.gradient(total, p)
    assert np.isfinite(gradient).all()
    assert gradient[0, 0] < 0 < gradient[0, 1]


def test_a_certain_student_has_bounded_gradients():
    p = tf.constant([[0.0, 1e-7, 1.0 - 1e-7, 1.0]])
    teacher = tf.constant([[0.9, 0.9, 0.1, 0.1]])
    with tf.GradientTape() as tape:
        tape.watch(p)
        loss = distilled(get("CrossEntropyLoss"), teacher, Distillation(1.0))(tf.zeros([1, 4]), p)
    gradient = tape.gradient(loss, p).numpy()
    assert np.abs(gradient).max() < 1.01e5  # 1 / EPSILON
    assert (np.sign(gradient) == [[-1, -1, 1, 1]]).all()
