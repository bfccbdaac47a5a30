"""The pooling layers of WILLOW and NeXtVLAD, and the gated mixture, against loops in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.layers.heads.gated_mixture import GatedMixture
from yt8m.layers.heads.mixture_of_experts import MixtureOfExperts
from yt8m.layers.pooling.net_fisher_vector import NetFisherVector
from yt8m.layers.pooling.net_vlad import NetVlad
from yt8m.layers.pooling.next_vlad import NextVlad
from yt8m.layers.pooling.soft_assignment import SoftAssignment
from yt8m.layers.pooling.soft_bag import SoftBag

RNG = np.random.RandomState(0)
B, T, D, C = 3, 5, 4, 3
X = RNG.normal(size=[B, T, D]).astype(np.float32)
COUNTS = np.array([5, 2, 0])
MASK = np.arange(T)[None] < COUNTS[:, None]


def with_random_weights(layer, width=D):
    """Return the layer with weights that are all different, those of variances positive."""
    layer.build((None, None, width))
    layer.set_weights([RNG.uniform(0.2, 1.0, w.shape) for w in layer.get_weights()])
    return layer


def run(layer):
    return layer(tf.constant(X), mask=tf.constant(MASK), training=False).numpy()


def array(weight):
    return np.asarray(weight)


def softmax(s):
    s = np.exp(s - s.max())
    return s / s.sum()


def unit(v):
    return v / max(np.linalg.norm(v), 1e-6)


def normalized(x, norm):
    scale = np.sqrt(array(norm.moving_variance) + 1e-3)
    return (x - array(norm.moving_mean)) / scale * array(norm.gamma) + array(norm.beta)


def assignments(layer, frame):
    """Return the share of each cluster in one frame, or in each group of it."""
    logits = normalized(frame @ array(layer.kernel), layer.norm)
    return [softmax(part) for part in logits.reshape(layer.groups, layer.clusters)]


def test_a_frame_is_shared_among_the_clusters():
    layer = with_random_weights(SoftAssignment(C))
    a = run(layer)
    for video in range(B):
        for t in range(T):
            expected = assignments(layer, X[video, t])[0] if MASK[video, t] else np.zeros(C)
            np.testing.assert_allclose(a[video, t], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("centers", [True, False])
def test_net_vlad(centers):
    layer = with_random_weights(NetVlad(C, centers))
    pooled = run(layer)
    for video in range(B):
        v = np.zeros([C, D])
        for frame in X[video, : COUNTS[video]]:
            for j, share in enumerate(assignments(layer.assign, frame)[0]):
                v[j] += share * (frame - (array(layer.centers)[j] if centers else 0))
        expected = unit(np.concatenate([unit(part) for part in v]))
        np.testing.assert_allclose(pooled[video], expected, rtol=1e-3, atol=1e-5)


def test_fisher_vector():
    layer = with_random_weights(NetFisherVector(C))
    pooled = run(layer)
    deviation = array(layer.scales) ** 2 + 1e-6
    for video in range(B):
        moments = np.zeros([2, C, D])
        for frame in X[video, : COUNTS[video]]:
            for j, share in enumerate(assignments(layer.assign, frame)[0]):
                z = (frame - array(layer.centers)[j]) / deviation[j]
                moments[:, j] += share * np.stack([z, z**2 - 1])
        parts = [unit(np.concatenate([unit(part) for part in moment])) for moment in moments]
        np.testing.assert_allclose(pooled[video], np.concatenate(parts), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("maximum", [True, False])
def test_soft_bag(gated, maximum):
    layer = with_random_weights(SoftBag(C, gated, maximum))
    pooled = run(layer)
    for video in range(B):
        shares = [assignments(layer.assign, frame)[0] for frame in X[video, : COUNTS[video]]]
        count = np.sum(shares, axis=0) if shares else np.zeros(C)
        highest = unit(np.max(shares, axis=0)) if shares else np.zeros(C)
        if gated:
            gate = normalized(highest @ array(layer.reduce) @ array(layer.expand), layer.norm)
            count = count / (1 + np.exp(-gate))
        expected = np.concatenate([unit(count), highest] if maximum else [unit(count)])
        np.testing.assert_allclose(pooled[video], expected, rtol=1e-3, atol=1e-5)


def test_next_vlad():
    layer = with_random_weights(NextVlad(C, groups=2, expansion=3))
    pooled = run(layer)
    (widen, widen_bias), (attend, attend_bias) = (
        part.get_weights() for part in (layer.expand, layer.attend)
    )
    for video in range(B):
        v = np.zeros([C, 6])  # 3 · 4 numbers in two parts
        for frame in X[video, : COUNTS[video]]:
            wide = frame @ widen + widen_bias
            attention = 1 / (1 + np.exp(-(wide @ attend + attend_bias)))
            for g, shares in enumerate(assignments(layer.assign, wide)):
                for j, share in enumerate(shares):
                    v[j] += attention[g] * share * (wide[6 * g : 6 * g + 6] - layer.centers[j])
        expected = normalized(np.concatenate([unit(part) for part in v]), layer.norm)
        np.testing.assert_allclose(pooled[video], expected, rtol=1e-3, atol=1e-4)


def test_next_vlad_says_what_its_groups_must_divide():
    with pytest.raises(ValueError, match="groups=3 must divide expansion · D = 8"):
        NextVlad(C, groups=3, expansion=2).build((None, None, D))


def test_gated_mixture():
    layer = with_random_weights(GatedMixture(6, num_mixtures=2))
    plain = MixtureOfExperts(6, 2)
    plain.build((None, D))
    plain.set_weights(layer.mixture.get_weights())
    p = plain(tf.constant(X[0])).numpy()
    logits = normalized(p @ layer.gate.dense.get_weights()[0], layer.gate.norm)
    found = layer(tf.constant(X[0]), training=False)
    np.testing.assert_allclose(found, p / (1 + np.exp(-logits)), rtol=1e-4)


def test_an_untrained_gated_mixture_predicts_the_label_frequencies():
    layer = GatedMixture(4)
    layer.build((None, D))
    priors = np.array([0.001, 0.02, 0.1, 0.4])
    layer.initialize_from_priors(priors)
    for training in (True, False):
        found = layer(tf.zeros([8, D]), training=training)[0]
        np.testing.assert_allclose(found, priors, rtol=0.3)


def test_the_gates_cost_no_precision_in_bfloat16():
    """In bfloat16 itself, two probabilities that differ by less than 1/256 are often equal."""
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    layer = GatedMixture(4)
    layer.build((None, D))
    p = layer(tf.cast(tf.random.stateless_normal([64, D], [1, 2]), tf.bfloat16))
    assert p.dtype == tf.float32
    rounded = tf.cast(tf.cast(p, tf.bfloat16), tf.float32)
    assert float(tf.reduce_mean(tf.cast(p == rounded, tf.float32))) < 0.1
