"""The mixture of experts against the golden numbers, NumPy, and its start at the priors."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.compat import tf_variable
from yt8m.layers.heads import chunked_mixture
from yt8m.layers.heads.mixture_math import STATES_FASTEST_FROM
from yt8m.layers.heads.mixture_of_experts import MixtureOfExperts


def _own_layout(w, layer):
    """Turn [D, K, copies] into how the layer keeps it."""
    return w if layer.num_mixtures >= STATES_FASTEST_FROM else np.swapaxes(w, 1, 2)


def _set_class_major(layer, gates, experts, bias):
    """Give the layer weights in the papers' order of columns, mixture fastest."""

    def own(w, copies):
        return _own_layout(np.reshape(w, [-1, layer.num_classes, copies]), layer)

    k = layer.num_mixtures
    layer.set_weights([own(gates, k + int(layer.dummy_expert)), own(experts, k), own(bias, k)[0]])


def _reference(x, gates, experts, bias, k, dummy, sigmoid):
    classes = experts.shape[1] // k
    g = (x @ gates).reshape(len(x), classes, k + dummy)
    g = np.exp(g - g.max(-1, keepdims=True))
    g = (g / g.sum(-1, keepdims=True))[..., :k]
    e = (x @ experts + bias).reshape(len(x), classes, k)
    return (g * (1 / (1 + np.exp(-e)) if sigmoid else e)).sum(-1)


def test_golden_numbers_and_column_order():
    layer = MixtureOfExperts(2, 2)
    layer.build((None, 2))
    gates = np.array([[0.1, -0.2, 0.3, 0.5, 0, -0.5], [0.4, 0.2, -0.1, 0, 0.3, 0.2]], np.float32)
    experts = np.array([[1, -1, 0.5, 2], [0, 1, -0.5, 1]], np.float32)
    _set_class_major(layer, gates, experts, np.array([0.1, -0.1, 0, 0.2], np.float32))
    np.testing.assert_allclose(
        layer(tf.constant([[0.6, 0.8]])), [[0.4222206896, 0.5115799320]], atol=1e-6
    )


@pytest.mark.parametrize("k", [1, 2, 5, 17])
@pytest.mark.parametrize("dummy", [True, False])
@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_against_numpy_with_gradients(k, dummy, activation, monkeypatch):
    # A chunk holds two classes of 17 experts; the third is the second chunk.
    monkeypatch.setattr(chunked_mixture, "CHUNK_BYTES", 4 * 6 * 70)
    if k == 1 and not dummy:
        pytest.skip("one gate alone is always 1: its gradient is 0")
    rng = np.random.RandomState(k)
    layer = MixtureOfExperts(3, k, dummy_expert=dummy, activation=activation, l2=0.0)
    layer.build((None, 4))
    weights = [rng.normal(size=shape) * 2 for shape in ([4, 3 * (k + dummy)], [4, 3 * k], [3 * k])]
    _set_class_major(layer, *weights)
    x = rng.normal(size=[6, 4]) * 3
    upstream = rng.normal(size=[6, 3])
    with tf.GradientTape() as tape:
        y = layer(tf.constant(x, tf.float32))
        total = tf.reduce_sum(y * tf.constant(upstream, tf.float32))
    np.testing.assert_allclose(
        y, _reference(x, *weights, k, dummy, activation), rtol=1e-4, atol=1e-5
    )
    variables = [v if isinstance(v, tf.Variable) else v.value for v in layer.trainable_variables]
    for i, gradient in enumerate(tape.gradient(total, variables)):
        direction = rng.normal(size=weights[i].shape)
        ends = []
        for sign in (1, -1):
            moved = [w + sign * 1e-5 * direction if j == i else w for j, w in enumerate(weights)]
            ends.append(np.sum(_reference(x, *moved, k, dummy, activation) * upstream))
        slope = (ends[0] - ends[1]) / 2e-5
        copies = k + int(dummy) if i == 0 else k
        direction = _own_layout(np.reshape(direction, [-1, 3, copies]), layer).reshape(
            gradient.shape
        )
        assert np.sum(gradient.numpy() * direction) == pytest.approx(slope, rel=2e-3, abs=2e-3)


def test_large_gates_stay_finite():
    layer = MixtureOfExperts(2, 2)
    layer.build((None, 1))
    _set_class_major(
        layer, 300.0 * np.array([[1, -1, 0, 0, 0, 1]]), np.full([1, 4], 300.0), np.zeros([1, 4])
    )
    with tf.GradientTape() as tape:
        x = tf.constant([[1.0], [-1.0]])
        tape.watch(x)
        y = layer(x)
    assert np.all(np.isfinite(y))
    assert np.all(np.isfinite(tape.gradient(y, x)))


def test_l2_has_slims_half():
    layer = MixtureOfExperts(3, 2, l2=0.1)
    layer(tf.ones([1, 4]))
    gates, experts, _ = layer.get_weights()
    assert float(tf.add_n(layer.losses)) == pytest.approx(
        0.05 * (np.sum(gates**2) + np.sum(experts**2)), rel=1e-5
    )


@pytest.mark.parametrize(("k", "dummy"), [(1, True), (2, True), (5, True), (3, False)])
def test_the_priors_are_predicted_with_even_gates(k, dummy):
    priors = np.array([0.0005, 0.02, 0.3])
    layer = MixtureOfExperts(3, k, dummy_expert=dummy)
    layer.build((None, 4))
    layer.initialize_from_priors(priors)
    np.testing.assert_allclose(layer(tf.zeros([1, 4]))[0], priors, rtol=1e-3)


def test_priors_of_nothing_and_everything_give_finite_biases():
    layer = MixtureOfExperts(2, 2)
    layer.build((None, 4))
    layer.initialize_from_priors(np.array([0.0, 1.0]))
    assert np.all(np.isfinite(layer.get_weights()[2]))
    assert layer(tf.zeros([1, 4]))[0, 0] < 1e-4


@pytest.mark.parametrize("chunk_bytes", [1, 4 * 5 * 100, 1 << 20])
@pytest.mark.parametrize("compiled", [False, True])
def test_chunks_change_nothing_against_autodiff(chunk_bytes, compiled, monkeypatch):
    """One class a chunk, several with a shorter last one, and all classes at once."""
    monkeypatch.setattr(chunked_mixture, "CHUNK_BYTES", chunk_bytes)
    rng = np.random.default_rng(0)
    x, upstream = (tf.constant(rng.normal(size=s), tf.float32) for s in ([5, 6], [5, 7]))
    gates, experts, bias = (
        tf.constant(rng.normal(size=s), tf.float32) for s in ([6, 7, 21], [6, 7, 20], [7, 20])
    )

    def plain(x, gates, experts, bias):
        share = tf.nn.softmax(tf.einsum("bd,dkm->bkm", x, gates))[:, :, :20]
        return tf.reduce_sum(share * tf.sigmoid(tf.einsum("bd,dkm->bkm", x, experts) + bias), -1)

    def chunked(x, gates, experts, bias):
        return chunked_mixture.chunked_mixture(x, gates, experts, bias, True)

    def with_gradients(function):
        with tf.GradientTape() as tape:
            tape.watch([x, gates, experts, bias])
            p = function(x, gates, experts, bias)
        return [p, *tape.gradient(p, [x, gates, experts, bias], upstream)]

    ours = tf.function(lambda: with_gradients(chunked))() if compiled else with_gradients(chunked)
    for a, b in zip(ours, with_gradients(plain)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_memory_holds_one_chunk_however_many_classes():
    """No tensor of a training step is larger than the logits of a chunk."""
    layer = MixtureOfExperts(400, 100)
    layer.build((None, 4))

    @tf.function
    def gradients(x):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(x))
        return tape.gradient(
            total, [v if isinstance(v, tf.Variable) else v.value for v in layer.trainable_variables]
        )

    graph = gradients.get_concrete_function(tf.TensorSpec([2000, 4])).graph
    sizes = [
        int(np.prod(o.shape))
        for op in graph.get_operations()
        for o in op.outputs
        if o.shape.is_fully_defined()
    ]
    assert max(sizes) <= chunked_mixture.CHUNK_BYTES // 4 < 2000 * 400 * 100


def test_an_accelerator_moves_no_kernel_into_another_shape():
    layer = MixtureOfExperts(7, 2)
    layer.build((None, 5))

    @tf.function(jit_compile=True)
    def gradients(x):
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(layer(x))
        return tape.gradient(y, [tf_variable(v) for v in (layer.gates, layer.experts)])

    program = gradients.experimental_get_compiler_ir(tf.TensorSpec([4, 5]))(stage="hlo")
    as_stored, flat = ("f32[5,3,7]", "f32[5,2,7]"), ("f32[5,21]", "f32[5,14]")
    assert all(shape in program for shape in as_stored)
    assert not any(shape in program for shape in flat)
