"""A frozen mixture by blocks of classes: its probabilities, and the loss and gradient of a tape."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.largescale.gradient import frozen_head
from yt8m.largescale.gradient.frozen_head import FrozenHead, head_variables
from yt8m.layers.heads.grouped_mixture_of_experts import GroupedMixtureOfExperts
from yt8m.layers.heads.logistic_head import LogisticHead
from yt8m.layers.heads.mixture_of_experts import MixtureOfExperts
from yt8m.losses import registry as losses

B, D, K = 6, 5, 12
GROUPS = [
    {"classes": [3, 4, 5, 9], "num_mixtures": 2},
    {"classes": [0, 7, 11], "num_mixtures": 20},  # its kernels are [D, classes, states]
    {"classes": [8], "num_mixtures": 1},
]  # and classes 1, 2, 6 and 10 are in none


def randomised(head):
    head.build((None, D))
    rng = np.random.default_rng(0)
    head.set_weights([rng.normal(size=w.shape).astype(np.float32) for w in head.get_weights()])
    return head


def data():
    rng = np.random.default_rng(1)
    v = tf.constant(rng.normal(size=(B, D)), tf.float32)
    return v, tf.constant(rng.integers(0, 2, (B, K)), tf.uint8), tf.constant(rng.random((B, K)))


@pytest.mark.parametrize("small_blocks", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "make",
    [
        lambda: GroupedMixtureOfExperts(K, GROUPS),
        lambda: MixtureOfExperts(K, 3),
        lambda: MixtureOfExperts(K, 17, dummy_expert=False, expert_bias=False),
    ],
    ids=["grouped", "few", "many"],
)
def test_blocks_give_the_loss_and_the_gradient_of_one_tape(
    make, weighted, small_blocks, monkeypatch
):
    head, (v, labels, weights) = randomised(make()), data()
    weights = tf.cast(weights, tf.float32) if weighted else None
    loss = losses.get("CrossEntropyLoss")
    with tf.GradientTape() as tape:
        tape.watch(v)
        expected = loss(labels, head(v), weights)
    gradient = tape.gradient(expected, v)
    if small_blocks:
        monkeypatch.setattr(frozen_head, "BLOCK_WEIGHTS", 50)  # a class or two
    described = FrozenHead.of(head, "CrossEntropyLoss")

    @tf.function
    def compute():
        arrays = head_variables(head)
        return described.loss_and_gradient(loss, v, labels, weights, arrays, rows=B)

    each, to_v = compute()
    operations = compute.get_concrete_function().graph.get_operations()
    blocks = sum(op.type == "MatMul" for op in operations) / 4  # two kernels, there and back
    assert blocks > len(described.parts) if small_blocks else blocks == len(described.parts)
    np.testing.assert_allclose(each, expected, rtol=1e-5)
    np.testing.assert_allclose(to_v, gradient, rtol=2e-4, atol=1e-5)
    p = tf.function(lambda: described.probabilities(v, head_variables(head), rows=B))()
    np.testing.assert_allclose(p, head(v), rtol=1e-5)


def test_other_heads_and_losses_are_left_to_the_tape():
    mixture = randomised(MixtureOfExperts(K, 2))
    assert FrozenHead.of(mixture, "BinaryCrossEntropyLoss") is not None
    assert FrozenHead.of(mixture, "SoftmaxLoss") is None  # it couples classes
    assert FrozenHead.of(randomised(MixtureOfExperts(K, 2, activation=None)), "HingeLoss") is None
    assert FrozenHead.of(randomised(LogisticHead(K)), "CrossEntropyLoss") is None
