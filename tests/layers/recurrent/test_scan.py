"""The loop of the recurrent layers: its values and gradients, and what its graph contains."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.compat import tf_variable
from yt8m.layers.recurrent import looped
from yt8m.layers.recurrent.cells import make_recurrent
from yt8m.layers.recurrent.layer_norm_gru import LayerNormGruCell
from yt8m.layers.recurrent.scan import plain_scan, scan

RNG = np.random.default_rng(0)
B, T, D, U = 3, 5, 4, 6
X = RNG.normal(size=(B, T, D))
MASK = np.arange(T)[None] < np.array([5, 3, 1])[:, None]
KERAS = tf.keras.layers

PAIRS = {
    "lstm": (looped.LSTM, KERAS.LSTM, {}),
    "gru": (looped.GRU, KERAS.GRU, {}),
    "uts_gru": (looped.GRU, KERAS.GRU, {"reset_after": False}),
    "ln_gru": (looped.RNN, KERAS.RNN, {}),
}


def pair(kind, dtype="float64", **options):
    """Return our layer and Keras's own, with the same weights, none at a special value."""
    ours, keras, more = PAIRS[kind]
    layers = []
    for cls in (ours, keras):
        first = LayerNormGruCell(U, dtype=dtype) if kind == "ln_gru" else U
        layer = cls(first, dtype=dtype, **more, **options)
        layer.build((None, None, D))
        layers.append(layer)
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=w.shape) * 0.5 for w in layers[0].get_weights()]
    for layer in layers:
        layer.set_weights(weights)
    return layers


def values_and_gradients(layer, training, x=X, start=None, mask=MASK):
    """Return a layer's outputs and the gradients of all it depends on, computed in a graph."""
    x = tf.constant(x, layer.compute_dtype)
    start = [] if start is None else [tf.constant(s, layer.compute_dtype) for s in start]
    variables = [tf_variable(v) for v in layer.trainable_variables]

    def run():
        with tf.GradientTape() as tape:
            tape.watch([x, start])
            found = layer(x, initial_state=start or None, mask=tf.constant(mask), training=training)
            found = tf.nest.flatten(found)
            total = tf.add_n(
                [
                    tf.reduce_sum(f * tf.cos(tf.cast(i + 1, f.dtype) + f))
                    for i, f in enumerate(found)
                ]
            )
        return found, tape.gradient(total, [x, *start, *variables])

    return tf.function(run)()


CASES = [  # with what Keras's loop and this one share: Keras is slow to trace
    ("lstm", True, {"return_sequences": True, "return_state": True}),
    ("lstm", False, {"go_backwards": True}),
    ("gru", True, {"return_state": True}),
    ("gru", False, {"return_sequences": True, "go_backwards": True}),
    ("uts_gru", True, {"return_sequences": True}),
    ("ln_gru", True, {"return_sequences": True}),
]


@pytest.mark.parametrize(("kind", "training", "options"), CASES, ids=str)
def test_the_loop_is_kerass_layer(kind, training, options):
    ours, keras = pair(kind, **options)
    # Keras gives 0, not the state, in the padding before a video whose state is given.
    states = 2 if kind == "lstm" else 1
    start = [RNG.normal(size=(B, U)) for _ in range(states)]
    start = None if options.get("go_backwards") else start
    a, b = (values_and_gradients(layer, training, start=start) for layer in (ours, keras))
    for one, other in zip(tf.nest.flatten(a), tf.nest.flatten(b), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def rotating_step(x, states, products, others):
    """A step with all that a step may have: two states, two products, one of the other's result."""
    a, b = states
    a = tf.tanh((0.0 if x is None else x) + products[0](b) * others[0])
    return [a, tf.sin(b + products[1](a * b))]


@pytest.mark.parametrize("adds", [True, False])
@pytest.mark.parametrize("keep", [True, False])
def test_the_loop_is_its_definition(keep, adds):
    parts = [
        tf.constant(RNG.normal(size=size))
        for size in ((T, B, U), (B, U), (B, U), (U, U), (U, U), (B, U))
    ]
    results = []
    for loop, options in ((plain_scan, {}), (scan, {"keep": keep})):
        with tf.GradientTape() as tape:
            tape.watch(parts)
            x, a, b, *kernels, other = parts
            options = {"mask": tf.transpose(MASK), "adds": adds, **options}
            found = loop(rotating_step, x, [a, b], kernels, [other], **options)
            total = tf.add_n([tf.reduce_sum(tf.exp(f)) for f in tf.nest.flatten(found)])
        results.append(tf.nest.flatten([found, tape.gradient(total, parts)]))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_both_directions_give_zero_in_the_padding():
    tf.keras.utils.set_random_seed(0)
    layer = make_recurrent("lstm", U, return_sequences=True, bidirectional=True)
    out = layer(tf.constant(X, tf.float32), mask=tf.constant(MASK)).numpy()
    assert np.all(out[~MASK] == 0)
    assert np.all(out[MASK] != 0)


def loop_bodies(layer):
    """Return (operation, shape of its output) of all that the loops of a training step do."""
    x = tf.zeros([B, T, D], layer.compute_dtype)
    variables = [tf_variable(v) for v in layer.trainable_variables]

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(x, mask=tf.constant(MASK), training=True))
        return tape.gradient(total, variables)

    graph = step.get_concrete_function().graph.as_graph_def(add_shapes=True)
    bodies = [f for f in graph.library.function if "while_body" in f.signature.name]
    return [
        [
            (node.op, tuple(d.size for d in shape.dim))
            for node in body.node_def
            for shape in node.attr["_output_shapes"].list.shape
        ]
        for body in bodies
    ]


@pytest.mark.parametrize("kind", PAIRS)
def test_no_loop_casts_or_reads_a_kernel_or_adds_to_its_gradient(kind):
    """In bfloat16 each would cost more than the product itself."""
    layer, _ = pair(kind, dtype="mixed_bfloat16")
    layer.return_sequences = True
    shapes = [tuple(w.shape) for w in layer.trainable_variables]
    kernels = [shape for shape in shapes if shape[0] in (D, U)]
    bodies = loop_bodies(layer)
    assert len(bodies) == 2
    for body in bodies:
        assert sum(op == "MatMul" for op, _ in body) in (1, 2)
        found = [(op, shape) for op, shape in body if shape in kernels and op != "Identity"]
        assert not found
