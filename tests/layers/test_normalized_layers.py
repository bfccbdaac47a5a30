"""Products of normalised data and maxima before a normalisation, against the plain formulas."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.compat import tf_variable
from yt8m.layers.normalisation.batch_norm import batch_norm
from yt8m.layers.normalisation.debiased_batch_norm import DebiasedBatchNorm
from yt8m.layers.normalisation.normalized_dense import NormalizedDense
from yt8m.layers.pooling.frames import FramePooling
from yt8m.layers.pooling.normalized_maximum import normalized_maximum, sums_and_maximum

B, T, D, K = 8, 6, 5, 7
MASK = np.arange(T)[None] < np.array([6, 2, 0, 5, 6, 1, 4, 6])[:, None]
RNG = np.random.default_rng(0)
X = np.where(MASK[..., None], RNG.normal(0.3, 0.7, size=(B, T, D)), 0).astype(np.float32)
UPSTREAM = RNG.normal(size=(B, K)).astype(np.float32)


@pytest.fixture(autouse=True)
def restored_policy():
    yield
    tf.keras.mixed_precision.set_global_policy("float32")


class Network:
    """Normalisation, product, normalisation and maximum, as one formula or by the fast layers."""

    def __init__(self, fast):
        self.fast, self.norms = fast, (batch_norm("before"), batch_norm("after"))
        kind = NormalizedDense if fast else tf.keras.layers.Dense
        self.dense, self.pool = kind(K, use_bias=False), FramePooling("max")
        self(tf.constant(X), tf.constant(MASK), False)
        values = np.random.default_rng(1)
        for norm in self.norms:
            norm.gamma.assign(values.normal(size=norm.gamma.shape))  # about half are negative
            norm.beta.assign(values.normal(size=norm.beta.shape))
        self.dense.kernel.assign(values.normal(size=(D, K)))

    def __call__(self, x, mask, training):
        before, after = self.norms
        if not self.fast:
            x = before(x, mask=mask, training=training)
            return self.pool(after(self.dense(x), mask=mask, training=training), mask=mask)
        signs = after.signs()
        x = before(x, mask=mask, training=training, affine=False)
        x, shift = self.dense(x, norm=before, signs=signs)
        x = normalized_maximum(x, mask, after, training, signs, shift)
        return tf.where(tf.reduce_any(mask, 1)[:, None], x, tf.zeros_like(x))

    def variables(self):
        weights = [w for norm in self.norms for w in (norm.gamma, norm.beta)]
        return [tf_variable(w) for w in [*weights, self.dense.kernel]]

    def moving(self):
        return [w.numpy() for n in self.norms for w in (n.moving_mean, n.moving_variance)]


def results(network, training):
    """Return the output and the gradients of all weights."""
    with tf.GradientTape() as tape:
        y = tf.cast(network(tf.constant(X), tf.constant(MASK), training), tf.float32)
        score = tf.reduce_sum(y * UPSTREAM)
    unconnected = tf.UnconnectedGradients.ZERO
    return [y, *tape.gradient(score, network.variables(), unconnected_gradients=unconnected)]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("policy", "tolerance"), [("float32", 1e-5), ("mixed_bfloat16", 1e-1)])
def test_the_fast_layers_compute_the_plain_formula(policy, tolerance, training):
    plain = Network(fast=False)
    tf.keras.mixed_precision.set_global_policy(policy)
    fast = Network(fast=True)
    for network in (plain, fast):
        results(network, True)  # so that the moving statistics are not the initial ones
    for a, b in zip(results(fast, training), results(plain, training)):
        # Of the whole: how bfloat16 rounds a small element depends on the processor.
        assert np.linalg.norm(a - b) <= tolerance * (1 + np.linalg.norm(b))
    for a, b in zip(fast.moving(), plain.moving()):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def test_two_replicas_have_the_moments_and_gradients_of_the_whole_batch(mirrored):
    whole = Network(fast=True)
    expected = results(whole, True)
    with mirrored.scope():
        network = Network(fast=True)

    @tf.function
    def step(x, mask, upstream):
        def replica(x, mask, upstream):
            with tf.GradientTape() as tape:
                y = network(x, mask, True)
                score = tf.reduce_sum(y * upstream)
            variables = [v for v in network.variables() if v is not betas]
            return y, tape.gradient(score, variables)

        return mirrored.run(replica, args=(x, mask, upstream))

    betas = network.variables()[1]  # a constant before a normalisation has no gradient in training

    def split(value):
        return mirrored.experimental_distribute_values_from_function(
            lambda c: tf.constant(np.split(value, 2)[c.replica_id_in_sync_group])
        )

    y, gradients = step(split(X), split(MASK), split(UPSTREAM))
    local = mirrored.experimental_local_results
    np.testing.assert_allclose(np.concatenate(local(y)), expected[0], rtol=1e-4, atol=1e-5)
    for found, of_whole in zip(gradients, [g for i, g in enumerate(expected[1:]) if i != 1]):
        summed = sum(part.numpy() for part in local(found))
        np.testing.assert_allclose(summed, of_whole, rtol=1e-3, atol=1e-4)
    for a, b in zip(network.moving(), whole.moving()):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_frames_that_share_the_maximum_share_its_gradient_as_in_tensorflow():
    x = np.array([[[2.0, -1.0], [2.0, -3.0], [1.0, 0.0]], [[0.0, -2.0], [0.0, -2.0], [0.0, 0.0]]])
    x, mask = tf.constant(x, tf.float32), tf.constant([[True] * 3, [True, True, False]])
    weights = [tf.constant(RNG.normal(size=s), tf.float32) for s in ((2,), (2,), (2, 2))]

    def plain(x):
        lowest = tf.where(mask[..., None], x, x.dtype.min)
        return tf.reduce_sum(x, [0, 1]), tf.reduce_sum(x * x, [0, 1]), tf.reduce_max(lowest, 1)

    found = []
    for formula in (plain, lambda x: sums_and_maximum(x, mask)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = formula(x)
            score = tf.add_n([tf.reduce_sum(a * b) for a, b in zip(outputs, weights)])
        found.append([*outputs, tf.boolean_mask(tape.gradient(score, x), mask)])
    for a, b in zip(*found):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_no_product_is_spent_on_a_gradient_for_the_data():
    network = Network(fast=True)

    @tf.function
    def step(x, mask):
        return results(network, True)

    graph = step.get_concrete_function(tf.constant(X), tf.constant(MASK)).graph
    names = [op.type for op in graph.get_operations() if op.type in ("MatMul", "BatchMatMulV2")]
    assert len(names) == 3  # forward, the gradient of the kernel, and β W for the moving mean


def test_bfloat16_counts_steps_and_moves_the_statistics_in_float32():
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    norm = DebiasedBatchNorm()
    norm(tf.ones([2, 3]), training=True)
    norm.updates_done.assign(300.0)
    norm.moving_mean.assign([1.001] * 3)
    norm(tf.fill([2, 3], 2.0), training=True)
    assert float(norm.updates_done) == 301
    keep = 300 / 310
    np.testing.assert_allclose(norm.moving_mean, [keep * 1.001 + (1 - keep) * 2] * 3, rtol=1e-5)
