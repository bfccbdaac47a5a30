"""Recurrent cells, pooling over outputs, shuffling and windows against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.layers.pooling.sequences import LinearAnnealing, make_sequence_pooling
from yt8m.layers.recurrent.cells import GateBias, make_recurrent
from yt8m.layers.recurrent.random_order import RandomOrder
from yt8m.layers.recurrent.windowed import WindowedRecurrent

RNG = np.random.RandomState(0)
X = RNG.normal(size=[3, 6, 4]).astype(np.float32)
N = np.array([6, 4, 1])
MASK = np.arange(6)[None] < N[:, None]
U = 3


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def scatter_weights(layer, seed=1):
    """Give a layer weights that are all different, and return them."""
    rng = np.random.RandomState(seed)
    layer.set_weights([rng.normal(size=w.shape) * 0.7 for w in layer.get_weights()])
    return layer.get_weights()


def uts_gru(x, h, weights):
    """One step of UTS' cell, whose reset gate acts before the product; h' = u∘h + (1 − u)∘c."""
    kernel, recurrent, bias = weights
    u, r = (
        sigmoid(x @ kernel[:, s] + h @ recurrent[:, s] + bias[s])
        for s in (slice(0, U), slice(U, 2 * U))
    )
    c = np.tanh(x @ kernel[:, 2 * U :] + (r * h) @ recurrent[:, 2 * U :] + bias[2 * U :])
    return u * h + (1 - u) * c


def final_states(step, weights, width=U):
    states = []
    for video in range(len(X)):
        h = np.zeros(width)
        for t in range(N[video]):
            h = step(X[video, t], h, weights)
        states.append(h)
    return np.array(states)


def test_reset_before_is_utss_cell():
    layer = make_recurrent("gru", U, reset_after=False)
    layer(tf.constant(X))
    bias = layer.get_weights()[2]
    np.testing.assert_array_equal(bias, [1] * 2 * U + [0] * U)
    weights = scatter_weights(layer)
    np.testing.assert_allclose(
        layer(tf.constant(X), mask=tf.constant(MASK)), final_states(uts_gru, weights), atol=1e-5
    )


def test_gates_start_open_in_the_row_of_the_input_alone():
    bias = GateBias(2.0)
    np.testing.assert_array_equal(bias((2, 6)), [[2, 2, 2, 2, 0, 0], [0] * 6])
    assert GateBias.from_config(bias.get_config()).value == 2.0


def layer_norm_gru(x, h, weights):
    w_zr, w_c, u_zr, u_c, gain_zr, offset_zr, gain_c, offset_c = weights

    def norm(product, gain, offset):
        return (product - product.mean()) / np.sqrt(product.var() + 1e-5) * gain + offset

    gates = sigmoid(
        norm(h @ u_zr, gain_zr[1], offset_zr[1]) + norm(x @ w_zr, gain_zr[0], offset_zr[0])
    )
    z, r = gates[:U], gates[U:]
    c = np.tanh(r * norm(h @ u_c, gain_c[1], offset_c[1]) + norm(x @ w_c, gain_c[0], offset_c[0]))
    return (1 - z) * h + z * c


def test_layer_norm_gru():
    layer = make_recurrent("ln_gru", U)
    layer(tf.constant(X))
    named = {w.name.split("/")[-1].split(":")[0]: w for w in layer.cell.weights}
    u_c = named["u_c"].numpy()
    np.testing.assert_allclose(u_c @ u_c.T, np.eye(U), atol=1e-5)
    scatter_weights(layer)
    names = ("w_zr", "w_c", "u_zr", "u_c", "gain_zr", "offset_zr", "gain_c", "offset_c")
    weights = [named[n].numpy() for n in names]
    np.testing.assert_allclose(
        layer(tf.constant(X), mask=tf.constant(MASK)),
        final_states(layer_norm_gru, weights),
        atol=1e-5,
    )


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["gru", "ln_gru", "lstm"])
def test_a_masked_sequence_is_the_shorter_sequence(cell, bidirectional):
    layer = make_recurrent(cell, U, bidirectional=bidirectional)
    masked = layer(tf.constant(X), mask=tf.constant(MASK)).numpy()
    for video in range(3):
        np.testing.assert_allclose(
            layer(tf.constant(X[video : video + 1, : N[video]]))[0], masked[video], atol=1e-5
        )


def test_addons_cell_is_offered_where_it_is_installed():
    try:
        import tensorflow_addons  # noqa: F401
    except ImportError:
        with pytest.raises(ValueError, match="tensorflow-addons, which is not installed"):
            make_recurrent("ln_lstm", U)
    else:
        layer = make_recurrent("ln_lstm", U)
        masked = layer(tf.constant(X), mask=tf.constant(MASK))
        np.testing.assert_allclose(layer(tf.constant(X[1:2, :4]))[0], masked[1], atol=1e-5)


def test_linear_annealing_weighs_step_t_by_t_over_n():
    pooled = LinearAnnealing()(tf.constant(X), mask=tf.constant(MASK)).numpy()
    for video, n in enumerate(N):
        weight = np.arange(1, n + 1) / n
        np.testing.assert_allclose(
            pooled[video], (weight[:, None] * X[video, :n]).sum(0) / weight.sum(), atol=1e-5
        )
    np.testing.assert_array_equal(
        LinearAnnealing()(tf.constant(X), mask=tf.zeros([3, 6], tf.bool)), np.zeros([3, 4])
    )


def test_pooling_by_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="last, mean, linear, attention"):
        make_sequence_pooling("max", 1, 1)


@pytest.mark.parametrize(
    ("mode", "training"), [("train", True), ("always", True), ("always", False)]
)
def test_random_order_permutes_true_frames_alone(mode, training):
    tf.keras.utils.set_random_seed(0)
    n = np.array([40, 17, 1])
    frames = np.tile(np.arange(40, dtype=np.uint8)[None, :, None], [3, 1, 2])
    shuffled = RandomOrder(mode)(
        tf.constant(frames), num_frames=tf.constant(n), training=training
    ).numpy()
    for video in range(3):
        assert sorted(shuffled[video, : n[video], 0]) == list(range(n[video]))
        np.testing.assert_array_equal(shuffled[video, n[video] :], frames[video, n[video] :])
    for video in (0, 1):
        assert np.abs(np.diff(shuffled[video, : n[video], 0].astype(int))).mean() > 3
    if training:
        assert not np.array_equal(
            np.argsort(shuffled[0, :, 0])[:17], np.argsort(shuffled[1, :17, 0])
        )
    else:  # one order for a number of frames, whatever the padding and the neighbours
        alone = RandomOrder(mode)(
            tf.constant(frames[1:2, :20]), num_frames=tf.constant(n[1:2]), training=False
        )
        np.testing.assert_array_equal(alone[0, :17], shuffled[1, :17])


@pytest.mark.parametrize(("mode", "training"), [("none", True), ("train", False)])
def test_random_order_leaves_frames_alone(mode, training):
    out = RandomOrder(mode)(tf.constant(X), num_frames=tf.constant(N), training=training)
    np.testing.assert_array_equal(out, X)


def windowed(carry, dropout=0.0):
    layer = WindowedRecurrent(
        "gru", U, num_mixtures=2, dropout=dropout, carry_state=carry, reset_after=False
    )
    windows = tf.constant(X.reshape(3, 3, 2, 4))
    mask = tf.constant(MASK.reshape(3, 3, 2))
    layer(windows, mask=mask)
    scatter_weights(layer)
    return layer, windows, mask


def hidden_mixture(final, gates, experts, bias):
    """A mixture of linear experts; the dummy, last of the gates, says 0."""
    logits = np.einsum("d,dmk->mk", final, gates)
    share = np.exp(logits) / np.exp(logits).sum(0)
    return (share[:-1] * (np.einsum("d,dmk->mk", final, experts) + bias)).sum(0)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("carry", ["moe_stopgrad", "gru_stopgrad", "none"])
def test_windows_hand_on_their_state(carry, training):
    layer, windows, mask = windowed(carry)
    out = layer(windows, mask=mask, training=training).numpy()
    gru = layer.rnn.get_weights()
    mixture = [w.numpy() for w in (layer.hidden.gates, layer.hidden.experts, layer.hidden.bias)]
    for video in range(3):
        state = np.zeros(U)
        for s in range(3):
            h = state
            for t in range(2 * s, min(2 * s + 2, N[video])):
                h = uts_gru(X[video, t], h, gru)
            answer = hidden_mixture(h, *mixture)
            np.testing.assert_allclose(
                out[video, s], answer if 2 * s < N[video] else np.zeros(U), atol=1e-5
            )
            state = {"moe_stopgrad": answer, "gru_stopgrad": h, "none": np.zeros(U)}[carry]


@pytest.mark.parametrize("carry", ["moe_stopgrad", "gru_stopgrad", "none"])
def test_a_video_of_one_window_is_trained_on_with_an_open_batch_size(carry):
    layer, windows, mask = windowed(carry)
    specs = [tf.TensorSpec([None, *t.shape[1:]], t.dtype) for t in (windows[:, :1], mask[:, :1])]
    step = tf.function(lambda x, m: layer(x, mask=m, training=True), input_signature=specs)
    whole = layer(windows, mask=mask, training=True)  # the first window does not know of the others
    np.testing.assert_allclose(step(windows[:, :1], mask[:, :1]), whole[:, :1], atol=1e-6)


@pytest.mark.parametrize("carry", ["moe_stopgrad", "gru_stopgrad"])
def test_no_gradient_crosses_a_window(carry):
    layer, windows, mask = windowed(carry)
    with tf.GradientTape() as tape:
        tape.watch(windows)
        total = tf.reduce_sum(layer(windows, mask=mask, training=True)[0, 2])
    gradient = tape.gradient(total, windows).numpy()
    assert np.all(gradient[0, :2] == 0)
    assert np.all(gradient[1:] == 0)
    assert np.all(np.abs(gradient[0, 2]) > 0)
    changed = tf.tensor_scatter_nd_add(windows, [[0, 0, 0, 0]], [1.0])
    assert abs(float(tf.reduce_sum(layer(changed, mask=mask, training=True)[0, 2]) - total)) > 1e-6


def test_what_is_carried_went_through_the_same_dropout():
    """With every second output dropped, window 1 starts at the very vector that window 0 gave."""
    tf.keras.utils.set_random_seed(0)
    layer, windows, mask = windowed("moe_stopgrad", dropout=0.5)
    out = layer(windows, mask=mask, training=True).numpy()
    assert np.any(out[0, :2] == 0)
    assert np.any(out[0, :2] != 0)
    gru = layer.rnn.get_weights()
    h = out[0, 0]
    for t in (2, 3):
        h = uts_gru(X[0, t], h, gru)
    answer = hidden_mixture(
        h, *[w.numpy() for w in (layer.hidden.gates, layer.hidden.experts, layer.hidden.bias)]
    )
    kept = out[0, 1] != 0
    assert kept.any()
    np.testing.assert_allclose(out[0, 1][kept], 2 * answer[kept], atol=1e-5)
