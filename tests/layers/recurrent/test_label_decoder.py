"""Label sequences and their decoder against NumPy; and that no prediction ever sees a label."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.layers.recurrent.label_decoder import LabelDecoder
from yt8m.layers.recurrent.label_sequences import label_sequences
from yt8m.models.recurrent.label_decoder import LabelDecoderModel

K, L, T, D, U, E, A, B = 6, 3, 5, 4, 3, 5, 2, 4
Y = np.array(
    [[0, 1, 0, 0, 1, 0], [1, 1, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0]], np.uint8
)


def test_sequences_are_in_vocabulary_order_and_end():
    tokens, lengths = label_sequences(tf.constant(Y), 3)
    np.testing.assert_array_equal(tokens, [[1, 4, 8, 6], [0, 1, 3, 8], [8, 6, 6, 6], [2, 8, 6, 6]])
    np.testing.assert_array_equal(lengths, [3, 4, 1, 2])
    tokens, _ = label_sequences(tf.constant(Y), 3, "descending")
    np.testing.assert_array_equal(tokens[:2], [[4, 1, 8, 6], [3, 1, 0, 8]])


def test_a_long_list_gives_every_contiguous_run_and_no_other():
    runs = set()
    for draw in np.linspace(0, 0.999, 7):
        tokens, _ = label_sequences(tf.constant(Y), 3, draw=tf.fill([4], np.float32(draw)))
        np.testing.assert_array_equal(tokens[0], [1, 4, 8, 6])  # a short one stays whole
        runs.add(tuple(tokens[1].numpy()))
    assert runs == {(0, 1, 3, 8), (1, 3, 4, 8), (3, 4, 5, 8)}


def test_more_labels_allowed_than_classes_there_are():
    tokens, lengths = label_sequences(tf.ones([1, 2], tf.uint8), 4)
    np.testing.assert_array_equal(tokens, [[0, 1, 4, 2, 2]])
    assert lengths.numpy() == [3]


@pytest.fixture
def decoder():
    tf.keras.utils.set_random_seed(4)
    layer = LabelDecoder(K, L, cells=U, layers=2, embedding_size=E, attention_size=A)
    layer.build((None, T, D))
    rng = np.random.default_rng(0)
    layer.set_weights(
        [rng.normal(scale=0.7, size=w.shape).astype(np.float32) for w in layer.get_weights()]
    )
    return layer


def memory_and_mask():
    rng = np.random.default_rng(1)
    mask = np.arange(T)[None, :] < np.array([[5], [3], [1], [4]])
    return rng.normal(size=(B, T, D)).astype(np.float32), mask


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class Reference:
    """The decoder in float64 NumPy, one video at a time."""

    def __init__(self, layer, memory):
        self.memory, self.states = memory.astype(np.float64), [np.zeros(U), np.zeros(U)]
        self.w = {
            v.name.split("/")[-1].split(":")[0]: np.asarray(v, np.float64)
            for v in layer.trainable_variables
        }

    def step(self, token):
        """Feed a token; return the probabilities of the next."""
        w = self.w
        scores = (
            np.tanh(self.memory @ w["w_x"] + w["b_x"] + self.states[-1] @ w["w_q"]) @ w["v"][:, 0]
        )
        context = softmax(scores) @ self.memory
        x = np.concatenate([w["embedding"][token], context])
        for i, h in enumerate(self.states):
            a, r = x @ w[f"inputs_{i}"] + w[f"gates_{i}"], h @ w[f"recurrent_{i}"]
            keep, reset = sigmoid(a[:U] + r[:U]), sigmoid(a[U : 2 * U] + r[U : 2 * U])
            x = keep * h + (1 - keep) * np.tanh(a[2 * U :] + reset * (r[2 * U :] + w[f"inner_{i}"]))
            self.states[i] = x
        return softmax(np.concatenate([x, context]) @ w["kernel"] + w["bias"])


def test_the_loss_is_that_of_the_sequence_by_teacher_forcing(decoder):
    memory, mask = memory_and_mask()
    y = Y.copy()
    y[1, 4:] = 0  # three labels, so that nothing is left to chance
    weights = np.random.default_rng(2).random((B, K)).astype(np.float32)
    loss, first = decoder.sequence_loss(
        tf.constant(memory), tf.constant(y), None, tf.constant(mask)
    )
    weighted, _ = decoder.sequence_loss(
        tf.constant(memory), tf.constant(y), tf.constant(weights), tf.constant(mask)
    )
    for i in range(B):
        reference, token, parts = Reference(decoder, memory[i][mask[i]]), K + 1, []
        for target in [*np.flatnonzero(y[i]), K + 2]:
            p = reference.step(token)
            if token == K + 1:
                np.testing.assert_allclose(first[i], p[:K], rtol=1e-4)
            parts.append(-np.log(p[target]))
            token = target
        assert float(loss[i]) == pytest.approx(sum(parts), rel=1e-4)
        each = [*weights[i][np.flatnonzero(y[i])], 1.0]
        assert float(weighted[i]) == pytest.approx(np.dot(each, parts), rel=1e-4)


def test_scores_are_the_highest_of_the_steps_before_the_end(decoder):
    memory, mask = memory_and_mask()
    ends = set()
    for end_bias in (-9.0, 0.0, 1.5, 9.0):
        bias = decoder.bias.numpy()
        bias[K + 2] = end_bias
        bias[K] = 4.0  # pad is likely, and yet never said
        decoder.bias.assign(bias)
        scores = decoder(tf.constant(memory), mask=tf.constant(mask)).numpy()
        for i in range(B):
            reference, token, best = Reference(decoder, memory[i][mask[i]]), K + 1, np.zeros(K)
            for step in range(L + 1):
                p = reference.step(token)
                token = max([*range(K), K + 2], key=lambda t: p[t])
                if step == 0 or token != K + 2:
                    best = np.maximum(best, p[:K])
                if token == K + 2:
                    ends.add(step)
                    break
            np.testing.assert_allclose(scores[i], best, rtol=1e-4)
    assert len(ends) > 1  # at different steps


def test_no_prediction_depends_on_the_labels():
    tf.keras.utils.set_random_seed(0)
    model = LabelDecoderModel(
        K, (3, 1), cells=U, embedding_size=E, attention_size=A, max_labels=L
    ).build_weights()
    inputs = {
        "frames": tf.cast(tf.random.uniform([B, T, 4], 0, 256, tf.int32), tf.uint8),
        "num_frames": tf.fill([B], T),
    }
    loss, predictions = model.training_loss(inputs, tf.constant(Y), None, None)
    other_loss, other_predictions = model.training_loss(inputs, tf.constant(1 - Y), None, None)
    assert np.all(np.abs(loss - other_loss) > 1e-3)
    np.testing.assert_array_equal(predictions, other_predictions)
    assert model.input_keys == ("frames", "num_frames")  # nothing else ever reaches `call`


def test_it_learns_to_say_the_labels_of_each_video():
    tf.keras.utils.set_random_seed(0)
    y = np.array(
        [[0, 1, 0, 0, 1, 0], [1, 1, 0, 1, 0, 0], [0, 0, 0, 0, 0, 1], [0, 1, 1, 0, 0, 0]], np.uint8
    )
    layer = LabelDecoder(K, L, cells=12, layers=1, embedding_size=E, attention_size=0)
    memory = tf.eye(4)[:, None, :]
    layer.build((None, 1, 4))
    layer.initialize_from_priors(y.mean(0))
    optimizer = tf.keras.optimizers.Adam(0.05)
    optimizer.build(layer.trainable_variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(layer.sequence_loss(memory, tf.constant(y))[0])
        optimizer.apply_gradients(
            zip(tape.gradient(loss, layer.trainable_variables), layer.trainable_variables)
        )

    for _ in range(120):
        step()
    scores = layer(memory).numpy()
    assert scores[y == 1].min() > 0.8
    assert scores[y == 0].max() < 0.2


def test_it_starts_in_proportion_to_the_priors():
    tf.keras.utils.set_random_seed(0)
    layer = LabelDecoder(K, L, cells=U, embedding_size=E, attention_size=A)
    layer.build((None, T, D))
    priors = np.array([0.9, 0.5, 0.3, 0.2, 0.1, 0.05])
    layer.initialize_from_priors(priors)
    layer.kernel.assign(tf.zeros_like(layer.kernel))
    np.testing.assert_allclose(layer(tf.ones([1, T, D]))[0], 0.9 * priors / priors.sum(), rtol=1e-4)
    with pytest.raises(ValueError, match="order"):
        LabelDecoder(K, order="random")
