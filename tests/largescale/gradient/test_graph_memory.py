"""The memory of a graph's tensors: what is kept for the backward pass, and no more."""

import pytest
import tensorflow as tf

from yt8m.largescale.gradient.graph_memory import peak_bytes

ROW = 4 * 1000  # bytes of a row of 1000 floats


def peak_of(function, rows, width=1000):
    spec = tf.TensorSpec([rows, width], tf.float32)
    traced = tf.function(function, input_signature=[spec]).get_concrete_function()
    return peak_bytes(tf.nest.flatten(traced.structured_outputs))


def test_a_chain_takes_one_tensor_and_its_gradient_takes_what_it_reads():
    weight = tf.Variable(tf.ones([1000, 1000]))

    def forward(x):
        for _ in range(5):
            x = tf.sigmoid(tf.matmul(x, weight))
        return x

    def gradient(x):
        with tf.GradientTape() as tape:
            y = forward(x)
        return tape.gradient(y, weight)

    assert peak_of(forward, 10) == 2 * 10 * ROW  # a product beside its input
    kept = peak_of(gradient, 10) - 1000 * ROW  # without the first product of the gradient
    assert kept >= 5 * 10 * ROW  # the five activations
    assert peak_of(gradient, 1000) > 5 * 1000 * ROW


def test_elements_are_overwritten_unless_somebody_reads_them_later():
    alone = peak_of(lambda x: tf.exp(tf.sigmoid(x + 1.0)), 3)
    assert alone == 3 * ROW
    later = peak_of(lambda x: (lambda y: tf.exp(y) + tf.reverse(y, [0]))(x + 1.0), 3)
    assert later == 2 * 3 * ROW  # the reverse is new; the rest overwrites
    assert peak_of(lambda x: tf.reshape(x + 1.0, [-1]), 3) == 3 * ROW
    both = peak_of(lambda x: (x + 1.0, x * 2.0), 3)  # outputs live to the end
    assert both == 2 * 3 * ROW


def test_what_the_backward_pass_alone_reads_is_computed_late():
    weight = tf.Variable(tf.ones([1000, 1000]))

    def gradient(x):
        with tf.GradientTape() as tape:
            y = tf.matmul(x, weight)
            for _ in range(4):
                y = tf.abs(y)  # the sign of its input is read by its gradient alone
        return tape.gradient(y, weight)

    # The first product's and the four absolute values; signs and gradients come one by one.
    assert peak_of(gradient, 2000) <= (5 + 2) * 2000 * ROW


def test_a_shape_that_is_not_known_is_named():
    with pytest.raises(ValueError, match="unknown shape"):
        peak_of(lambda x: x + 1.0, None)
