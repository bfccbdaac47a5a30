"""The parts of context injection against NumPy: error, encoder and decoder."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.layers.recurrent.attention_decoder import AttentionDecoder
from yt8m.layers.recurrent.context_encoder import ContextEncoder
from yt8m.layers.scaled_huber import scaled_huber

RNG = np.random.default_rng(0)


def test_golden_errors():
    np.testing.assert_allclose(
        scaled_huber(tf.constant([0.1, 0.25, 0.5, -1.0, 0.0])),
        [0.02, 0.125, 0.375, 0.875, 0.0],
        atol=1e-7,
    )


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def reference(layer, given, start, memory, mask):
    w = {w.name.split("/")[-1].split(":")[0]: w.numpy() for w in layer.weights}
    c = layer.cells
    v = w["g"] * w["v"] / np.linalg.norm(w["v"])
    h, attention = np.tanh(start @ w["start"] + w["b_start"]), np.zeros((len(given), c))
    out = []
    for t in range(given.shape[1]):
        x = given[:, t] @ w["given"] + attention @ w["attended"] + w["b_gru"]
        update, reset = np.split(sigmoid(x[:, : 2 * c] + h @ w["gates"]), 2, axis=1)
        h = update * h + (1 - update) * np.tanh(x[:, 2 * c :] + (reset * h) @ w["candidate"])
        score = np.tanh(memory @ w["memory_keys"] + w["b_score"] + (h @ w["query"])[:, None]) @ v
        weight = np.where(mask, np.exp(score), 0.0)
        context = np.einsum("bs,bsm->bm", weight / weight.sum(1, keepdims=True), memory)
        attention = np.concatenate([h, context], 1) @ w["mix"]
        out.append(attention @ w["write"] + w["b_write"])
    return np.stack(out, 1)


@pytest.mark.parametrize("compiled", [False, True])
def test_decoder_equals_its_loop_in_numpy(compiled):
    layer = AttentionDecoder(cells=5, frame_size=3, memory_size=4, attention_size=6)
    given, start, memory = (
        RNG.normal(size=s).astype(np.float32) for s in ((2, 7, 3), (2, 4), (2, 4, 4))
    )
    mask = np.array([[True] * 4, [True, True, False, False]])

    def call():
        return layer(
            tf.constant(given),
            start=tf.constant(start),
            memory=tf.constant(memory),
            memory_mask=tf.constant(mask),
        )

    call()
    np.testing.assert_array_equal(layer.b_gru.numpy(), [1.0] * 10 + [0.0] * 5)
    for w in layer.weights:
        w.assign(RNG.normal(size=w.shape))
    out = tf.function(call)() if compiled else call()
    np.testing.assert_allclose(
        out, reference(layer, given, start, memory, mask), rtol=1e-4, atol=1e-4
    )


def test_a_frame_is_written_before_it_is_given():
    layer = AttentionDecoder(cells=5, frame_size=3, memory_size=4)
    given = RNG.normal(size=(1, 6, 3)).astype(np.float32)
    more = {
        "start": tf.ones([1, 4]),
        "memory": tf.ones([1, 2, 4]),
        "memory_mask": tf.ones([1, 2], tf.bool),
    }
    before = layer(tf.constant(given), **more).numpy()
    given[:, 3] += 1.0
    after = layer(tf.constant(given), **more).numpy()
    np.testing.assert_array_equal(before[:, :3], after[:, :3])
    assert np.abs(before[:, 3:] - after[:, 3:]).min(axis=(0, 2)).all()


def test_encoder_reads_forward_and_not_the_padding():
    layer = ContextEncoder(cells=4, projection_size=5, output_size=3)
    x = RNG.normal(size=(1, 6, 2)).astype(np.float32)
    mask = tf.constant([[True] * 4 + [False] * 2])
    before = layer(tf.constant(x), mask=mask).numpy()
    assert before.shape == (1, 6, 3)
    x[:, 2] += 1.0
    after = layer(tf.constant(x), mask=mask).numpy()
    np.testing.assert_array_equal(before[:, :2], after[:, :2])
    assert np.abs(before[:, 2:4] - after[:, 2:4]).max() > 1e-3
