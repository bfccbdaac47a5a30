"""What the recurrent models' options mean, on top of what every model is tested for."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.models.core import registry

K, SIZES, B, T, U = 5, (6, 2), 4, 7, 3
RNG = np.random.RandomState(0)
FRAMES = RNG.randint(0, 256, [B, T, sum(SIZES)]).astype(np.uint8)
N = np.array([7, 4, 1, 2], np.int32)


def make(name, **options):
    tf.keras.utils.set_random_seed(1)
    model = registry.create(
        name, num_classes=K, feature_sizes=SIZES, cells=U, **options
    ).build_weights()
    rng = np.random.RandomState(2)
    model.set_weights([rng.normal(size=w.shape) * 0.5 for w in model.get_weights()])
    return model


def predict(model, frames=FRAMES, n=N):
    return model(
        {"frames": tf.constant(frames), "num_frames": tf.constant(n)}, training=False
    ).numpy()


OPTIONS = [
    ("GruModel", {"state": "concat"}, 2 * U),
    ("GruModel", {"state": "bottom", "reset_after": False}, U),
    ("GruModel", {"output": "linear", "state": "concat"}, 2 * U),
    ("GruModel", {"fc_size": 4}, 4),
    ("GruModel", {"fc_size": 4, "fc_position": "between", "num_mixtures": 4}, U),
    ("LstmModel", {"state": "concat", "layer_dropout": 0.5}, 2 * U),
    ("BiLstmModel", {"state": "concat"}, 4 * U),
    ("BiGruModel", {"output": "attention", "hops": 3, "attention_size": 4}, 6 * U),
    ("HierarchicalGruModel", {"output": "attention", "hops": 2, "window_size": 2}, 2 * U),
    (
        "HierarchicalGruModel",
        {"output": "linear", "num_windows": 3, "max_frames": 7, "carry_state": "none"},
        U,
    ),
    (
        "HierarchicalGruModel",
        {"random_order": "always", "window_size": 3, "carry_state": "gru_stopgrad"},
        U,
    ),
    ("MultiScaleGruModel", {"intervals": "1,2"}, 2 * U),
]


@pytest.mark.parametrize(("name", "options", "width"), OPTIONS, ids=str)
def test_options_hold_what_the_paper_says_and_no_padding_counts(name, options, width):
    model = make(name, **options)
    assert model.head.gates.shape[0] == width
    whole = predict(model)
    longer = np.concatenate([FRAMES, np.full([B, 4, sum(SIZES)], 99, np.uint8)], axis=1)
    np.testing.assert_allclose(predict(model, longer), whole, atol=1e-5)
    for video in range(B):
        alone = predict(model, FRAMES[video : video + 1, : N[video]], N[video : video + 1])
        np.testing.assert_allclose(alone[0], whole[video], atol=1e-5)
    again = registry.create(name, **model.get_config()).build_weights()
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(predict(again), whole, atol=1e-6)


@pytest.mark.parametrize("name", ["GruModel", "HierarchicalGruModel", "MultiScaleGruModel"])
def test_utss_way_reads_the_padding(name):
    options = {"num_windows": 2, "max_frames": T - 1} if name == "HierarchicalGruModel" else {}
    frames = FRAMES[:, : T - 1]
    masked, padded = make(name, **options), make(name, **options, mask_padding=False)
    padded.set_weights(masked.get_weights())
    n = np.minimum(N, T - 1)
    a, b = predict(masked, frames, n), predict(padded, frames, n)
    np.testing.assert_allclose(a[0], b[0], atol=1e-5)  # the longest has no padding
    assert np.abs(a[1:] - b[1:]).max(axis=1).min() > 1e-4


def test_layers_that_would_never_learn_are_not_made():
    assert len(make("GruModel", state="bottom").stack) == 1
    assert make("GruModel", state="bottom").get_config()["layers"] == 2


def test_windows_by_number_are_windows_by_size():
    """HGRU@20: 20 windows of 15 frames."""
    assert registry.create("HGRU", num_classes=2, cells=2).frames_a_window == 20
    assert registry.create("HGRU", num_classes=2, cells=2, num_windows=20).frames_a_window == 15
    by_number, by_size = make("HGRU", num_windows=3, max_frames=7), make("HGRU", window_size=3)
    by_size.set_weights(by_number.get_weights())
    np.testing.assert_array_equal(predict(by_number), predict(by_size))


def test_a_hierarchical_pass():
    """The levels computed by hand: windows, hidden mixtures, GRU over windows with frames, head."""
    model = make("HGRU", window_size=3)
    x, _mask = model.dequantize(
        tf.constant(np.pad(FRAMES, [(0, 0), (0, 2), (0, 0)])), num_frames=tf.constant(N)
    )
    for video in range(B):
        state, outputs = tf.zeros([1, U]), []
        for s in range(-(-int(N[video]) // 3)):
            window = x[video : video + 1, 3 * s : min(3 * s + 3, N[video])]
            state = model.first.hidden(model.first.rnn(window, initial_state=[state]))
            outputs.append(state)
        expected = model.head(model.second(tf.stack(outputs, axis=1)))
        np.testing.assert_allclose(predict(model)[video], expected[0], atol=1e-5)


def test_random_order_changes_training_alone():
    plain, shuffled = (
        make("HGRU", window_size=2, hidden_dropout=0.0, state_dropout=0.0, random_order=o)
        for o in ("none", "train")
    )
    np.testing.assert_array_equal(predict(shuffled), predict(plain))
    inputs = {"frames": tf.constant(FRAMES), "num_frames": tf.constant(N)}
    train = shuffled(inputs, training=True).numpy()
    np.testing.assert_allclose(train[2], predict(plain)[2], atol=1e-5)  # one frame has one order
    assert np.abs(train[0] - predict(plain)[0]).max() > 1e-6


def test_scales_read_every_rth_frame():
    model = make("MultiScaleGruModel")
    x, _ = model.dequantize(tf.constant(FRAMES), num_frames=tf.constant(N))
    for video in range(B):
        states = [
            rnn(x[video : video + 1, : N[video] : r]) for r, rnn in zip((1, 3, 6), model.scales)
        ]
        np.testing.assert_allclose(
            predict(model)[video], model.head(tf.concat(states, axis=-1))[0], atol=1e-5
        )


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("GruModel", {"state": "middle"}, "state (is|must be) one of"),
        ("GruModel", {"output": "max"}, "output (is|must be) one of"),
        ("GruModel", {"fc_size": 3, "fc_position": "between", "layers": 1}, "two layers"),
        ("LstmModel", {"cell": "gru"}, "cell must be one of lstm, ln_lstm"),
        ("HierarchicalGruModel", {"carry_state": "all"}, "carry_state (is|must be) one of"),
        ("HierarchicalGruModel", {"random_order": "eval"}, "random_order (is|must be) one of"),
        ("HierarchicalGruModel", {"window_size": 0}, "1 or more"),
        ("MultiScaleGruModel", {"intervals": [1, 0]}, "intervals must be a list of positive"),
    ],
)
def test_options_out_of_range_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        make(name, **options)
