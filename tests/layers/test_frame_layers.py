"""Dequantisation, pooling, gating, batch normalisation and VLAD against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames, NormalizeVideo
from yt8m.layers.heads.logistic_head import LogisticHead
from yt8m.layers.normalisation.batch_norm import batch_norm
from yt8m.layers.normalisation.context_gating import ContextGating
from yt8m.layers.normalisation.debiased_batch_norm import (
    DebiasedBatchNorm,
    scale_and_shift,
    sum_to_last,
)
from yt8m.layers.pooling.attention import AttentionPooling
from yt8m.layers.pooling.frames import FramePooling
from yt8m.layers.pooling.vlad import AttnVlad
from yt8m.models.dbof.starter import make_pooling

RNG = np.random.RandomState(0)
X = RNG.normal(size=[3, 5, 4]).astype(np.float32)
N = np.array([5, 2, 0])
MASK = np.arange(5)[None] < N[:, None]


def _softmax(s, axis):
    s = np.exp(s - s.max(axis=axis, keepdims=True))
    return s / s.sum(axis=axis, keepdims=True)


@pytest.mark.parametrize("norm", ["l2", "none"])
def test_dequantise_masks_and_normalises(norm):
    q = RNG.randint(0, 256, size=[2, 4, 3]).astype(np.uint8)
    x, mask = DequantizeFrames(norm)(tf.constant(q), num_frames=tf.constant([4, 1]))
    expected = q * (4 / 255) + 4 / 512 - 2
    if norm == "l2":
        expected = expected / np.linalg.norm(expected, axis=-1, keepdims=True)
    expected[1, 1:] = 0
    np.testing.assert_allclose(x, expected, atol=1e-6)
    np.testing.assert_array_equal(mask, [[1, 1, 1, 1], [1, 0, 0, 0]])


def test_dequantised_golden_values():
    q = tf.constant([[[0], [127], [128], [255]]], tf.uint8)
    x, _ = DequantizeFrames("none")(q, num_frames=tf.constant([4]))
    np.testing.assert_allclose(x[0, :, 0], [-1.9921875, -3.06e-5, 0.0156556, 2.0078125], atol=1e-6)


def test_a_video_is_normalised_and_zeros_stay_zeros():
    normalised = NormalizeVideo("l2")(tf.constant([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(normalised, [[0.6, 0.8], [0, 0]], atol=1e-6)
    np.testing.assert_allclose(NormalizeVideo("none")(tf.constant([[3.0, 4.0]])), [[3, 4]])


def test_swap_golden_values():
    frames = tf.constant([[[1.0, -2, 0], [3, 2, 0], [-1, 1, 0]]])
    np.testing.assert_allclose(FramePooling("swap")(frames), [[1.8, 0.2, 0]], atol=1e-6)
    np.testing.assert_allclose(
        FramePooling("swap", swap_weight="l2")(frames), [[1.604, 0.572, 0]], atol=1e-3
    )


@pytest.mark.parametrize("method", ["average", "max", "l2", "swap"])
def test_pooling_sees_true_frames_only(method):
    pooled = FramePooling(method)(tf.constant(X), mask=tf.constant(MASK)).numpy()
    for video in (0, 1):
        x = X[video, : N[video]]
        expected = {
            "average": x.mean(0),
            "max": x.max(0),
            "l2": np.sqrt((x**2).mean(0)),
            "swap": (np.abs(x) * x).sum(0) / np.abs(x).sum(0),
        }[method]
        np.testing.assert_allclose(pooled[video], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(pooled[2], 0, atol=2e-6)


@pytest.mark.parametrize("method", ["average", "max", "l2", "swap", "attention"])
def test_pooling_has_finite_gradients_even_of_nothing(method):
    layer, x = make_pooling(method), tf.Variable(np.concatenate([X, np.zeros_like(X[:1])]))
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(layer(x, mask=tf.constant(np.concatenate([MASK, MASK[:1]]))))
    assert np.all(np.isfinite(tape.gradient(y, x)))


@pytest.mark.parametrize("swap_weight", ["elementwise", "l1", "l2"])
def test_a_frame_of_zeros_among_others_has_a_finite_gradient(swap_weight):
    x = tf.constant([[[0.0, 0.0], [1.0, 2.0]]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = FramePooling("swap", swap_weight)(x)
    np.testing.assert_allclose(y, [[1.0, 2.0]], atol=1e-5)  # a frame of no size has no weight
    assert np.all(np.isfinite(tape.gradient(y, x)))


def test_attention_pooling_against_numpy():
    layer = AttentionPooling(hops=2, projection=3)
    pooled = layer(tf.constant(X), mask=tf.constant(MASK)).numpy()
    inner, bias, outer = layer.get_weights()
    for video in (0, 1):
        x = X[video, : N[video]]
        a = _softmax(np.tanh(x @ inner + bias) @ outer, axis=0)
        np.testing.assert_allclose(pooled[video], (a.T @ x).ravel(), rtol=1e-4, atol=1e-5)
    assert np.all(np.isfinite(pooled[2]))


@pytest.mark.parametrize("shape", [(7, 5), (4, 3, 5)])
def test_batch_norms_fast_formulas_have_the_values_and_gradients_of_the_plain_ones(shape):
    rng = np.random.RandomState(0)
    x, factor, offset, upstream = (
        tf.constant(rng.normal(size=size), tf.float32) for size in (shape, 5, 5, shape)
    )
    axes = list(range(len(shape) - 1))
    results = []
    for fast in (False, True):
        with tf.GradientTape() as tape:
            tape.watch([x, factor, offset])
            total = sum_to_last(x * x) if fast else tf.reduce_sum(x * x, axes)
            y = scale_and_shift(x, factor, offset) if fast else x * factor + offset
            score = tf.reduce_sum(y * upstream) + tf.reduce_sum(total * factor)
        results.append([total, y, *tape.gradient(score, [x, factor, offset])])
    for plain, fast in zip(*results):
        np.testing.assert_allclose(fast, plain, rtol=1e-5, atol=1e-5)


def test_batch_norm_moments_leave_out_padding():
    layer = batch_norm("bn")
    y = layer(tf.constant(X), mask=tf.constant(MASK), training=True)
    valid = X[MASK]
    expected = (X - valid.mean(0)) / np.sqrt(valid.var(0) + 1e-3)
    np.testing.assert_allclose(y.numpy()[MASK], expected[MASK], rtol=1e-3, atol=1e-4)


def test_batch_norm_is_right_after_a_few_steps_on_features_of_a_small_variance():
    # A normalised frame has a variance near 1 / 1152 in each feature: 900 times less than where
    # moving averages usually start.
    layer = batch_norm("bn")
    x = (RNG.normal(size=[4000, 3]) / np.sqrt(1152)).astype(np.float32)
    for _ in range(20):
        trained = layer(tf.constant(x), training=True)
    np.testing.assert_allclose(layer(tf.constant(x), training=False), trained, rtol=2e-2, atol=2e-2)


def test_batch_norm_forgets_at_its_momentum_in_the_long_run():
    layer = DebiasedBatchNorm(momentum=0.5)
    for value in (0.0, 1.0):
        layer(tf.fill([4, 2], value), training=True)
    np.testing.assert_allclose(
        layer.moving_mean, [1 - 1 / 11] * 2, rtol=1e-5
    )  # keeps t / (t + 10) at t = 1
    for _ in range(40):
        layer(tf.fill([4, 2], 2.0), training=True)
    before = np.asarray(layer.moving_mean).copy()
    layer(tf.fill([4, 2], 4.0), training=True)
    np.testing.assert_allclose(layer.moving_mean, 0.5 * before + 2.0, rtol=1e-5)


def test_batch_norm_over_two_replicas_is_that_of_the_whole_batch(mirrored):
    x = RNG.normal(size=[8, 3]).astype(np.float32)
    with mirrored.scope():
        layer = batch_norm("bn")
        layer.build((None, 3))

    @tf.function
    def run(x):
        return mirrored.run(lambda x: layer(x, training=True), args=(x,))

    parts = mirrored.experimental_distribute_values_from_function(
        lambda context: tf.constant(x[4 * context.replica_id_in_sync_group :][:4])
    )
    y = np.concatenate([v.numpy() for v in mirrored.experimental_local_results(run(parts))])
    np.testing.assert_allclose(y, (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(np.asarray(layer.moving_mean), x.mean(0), atol=1e-5)


@pytest.mark.parametrize("add_batch_norm", [True, False])
def test_context_gating_against_numpy(add_batch_norm):
    layer = ContextGating(add_batch_norm)
    y = layer(tf.constant(X[0]), training=True).numpy()
    logits = X[0] @ layer.get_weights()[0]
    if add_batch_norm:
        logits = (logits - logits.mean(0)) / np.sqrt(logits.var(0) + 1e-3)
    np.testing.assert_allclose(y, X[0] / (1 + np.exp(-logits)), rtol=1e-3, atol=1e-4)


def test_reduced_context_gating_against_numpy():
    layer = ContextGating(reduction=2)
    layer.build((None, 4))
    layer.set_weights([RNG.normal(size=w.shape) for w in layer.get_weights()])
    inner, outer = layer.dense.get_weights()[0], layer.expand.get_weights()[0]
    assert inner.shape == (4, 2)
    gamma, beta = layer.norm.get_weights()[:2]
    hidden = X[0] @ inner
    hidden = (hidden - hidden.mean(0)) / np.sqrt(hidden.var(0) + 1e-3) * gamma + beta
    expected = X[0] / (1 + np.exp(-np.maximum(hidden, 0) @ outer))
    np.testing.assert_allclose(layer(tf.constant(X[0]), training=True), expected, rtol=1e-3)


@pytest.mark.parametrize("kernel", ["additive", "linear", "soft"])
@pytest.mark.parametrize("scheme", ["a", "b"])
def test_vlad_against_numpy(kernel, scheme):
    layer = AttnVlad(3, kernel, scheme, attention_size=5, alpha=0.3, auxiliary_weight=1.0)
    layer.build((None, None, 4))
    w = [RNG.normal(size=v.shape).astype(np.float32) for v in layer.get_weights()]
    layer.set_weights(w)
    out = layer(tf.constant(X), mask=tf.constant(MASK)).numpy()
    centers, auxiliary = w[0], 0.5e-5 * np.sum(w[0] ** 2)  # the centres' own L2 term
    for video in range(3):
        x = X[video, : N[video]]
        offset = x[:, None] - centers  # [T, C, D]
        if kernel == "additive":
            scores = np.tanh((centers @ w[1])[None] + (x @ w[2])[:, None] + w[3]) @ w[4]
        elif kernel == "linear":
            scores = x @ w[1] + (w[2] if scheme == "a" else 0)
        else:
            scores = -0.3 * (offset**2).sum(-1)
        a = _softmax(scores, axis=1 if scheme == "a" else 0) if len(x) else scores
        auxiliary += (a * (offset**2).sum(-1)).sum() / 3
        v = (a[:, :, None] * offset).sum(0)
        v = np.sign(v) * np.sqrt(np.abs(v))
        v = v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-6)
        np.testing.assert_allclose(
            out[video], v.ravel() / max(np.linalg.norm(v), 1e-6), rtol=2e-3, atol=2e-4
        )
    assert float(tf.add_n(layer.losses)) == pytest.approx(auxiliary, rel=1e-3)


def test_distances_to_near_centres_survive_bfloat16():
    """Distances are near the frames' square norm, 256, where bfloat16 has every second number."""
    x = tf.cast(np.random.RandomState(1).normal(size=[2, 9, 256]), tf.bfloat16)
    mask = tf.ones([2, 9], tf.bool)
    layers = [AttnVlad(4, "soft", "a", dtype=t) for t in ("float32", "mixed_bfloat16")]
    inputs = [tf.cast(x, tf.float32), x]
    for layer, value in zip(layers, inputs):
        layer(value, mask=mask)
        layer.set_weights(layers[0].get_weights())
    a, b = (
        np.asarray(tf.cast(layer.attention(v, mask)[0], tf.float32))
        for layer, v in zip(layers, inputs)
    )
    np.testing.assert_allclose(b, a, atol=0.02)


@pytest.mark.parametrize("kernel", ["additive", "linear", "soft"])
@pytest.mark.parametrize("scheme", ["a", "b"])
def test_vlads_gradient_reaches_every_weight(kernel, scheme):
    layer = AttnVlad(3, kernel, scheme, attention_size=5)
    with tf.GradientTape() as tape:
        out = layer(tf.constant(X[:2]), mask=tf.constant(MASK[:2]))
        target = tf.reduce_sum(out * tf.constant(RNG.normal(size=out.shape), tf.float32))
    variables = [v if isinstance(v, tf.Variable) else v.value for v in layer.trainable_variables]
    assert all(
        np.max(np.abs(g)) > 1e-7 and np.all(np.isfinite(g))
        for g in tape.gradient(target, variables)
    )


def test_the_logistic_head_is_a_sigmoid_and_starts_at_the_priors():
    layer = LogisticHead(3)
    layer.build((None, 4))
    layer.initialize_from_priors(np.array([0.001, 0.2, 0.5]))
    np.testing.assert_allclose(layer(tf.zeros([1, 4]))[0], [0.001, 0.2, 0.5], rtol=1e-3)
    kernel, bias = layer.get_weights()
    np.testing.assert_allclose(
        layer(tf.constant(X[0])), 1 / (1 + np.exp(-(X[0] @ kernel + bias))), rtol=1e-4
    )
