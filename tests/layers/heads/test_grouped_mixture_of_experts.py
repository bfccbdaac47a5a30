"""Groups of classes with their own numbers of experts, against one mixture over all classes."""

import h5py
import numpy as np
import pytest
import tensorflow as tf

from yt8m.layers.heads.grouped_mixture_of_experts import GroupedMixtureOfExperts
from yt8m.layers.heads.label_groups import label_groups
from yt8m.layers.heads.mixture_of_experts import MixtureOfExperts

B, D, K = 5, 6, 9


def _variables(layer):
    return [v if isinstance(v, tf.Variable) else v.value for v in layer.trainable_variables]


@pytest.mark.parametrize("k", [3, 16])
def test_groups_of_equal_size_are_one_mixture(k):
    """The value and all gradients are the same, with the classes shuffled over three groups."""
    tf.keras.utils.set_random_seed(0)
    one = MixtureOfExperts(K, k)
    groups = label_groups(K, 4, "random", 5)
    many = GroupedMixtureOfExperts(K, [{"classes": g, "num_mixtures": k} for g in groups])
    one.build((None, D)), many.build((None, D))
    axis = 1 if k >= 16 else 2
    one.set_weights([np.random.RandomState(1).normal(size=w.shape) for w in one.get_weights()])

    def parts(arrays):
        """Cut [gates, experts, bias] of one mixture into those of each group."""
        gates, experts, bias = (np.asarray(a) for a in arrays)
        cut = [
            (np.take(gates, g, axis), np.take(experts, g, axis), np.take(bias, g, axis - 1))
            for g in groups
        ]
        return [a for part in cut for a in part]

    for mixture, i in zip(many.mixtures, range(0, 9, 3)):
        mixture.set_weights(parts(one.get_weights())[i : i + 3])
    x = tf.constant(np.random.RandomState(2).normal(size=[B, D]), tf.float32)
    upstream = tf.constant(np.random.RandomState(3).normal(size=[B, K]), tf.float32)
    results = []
    for layer in (one, many):
        with tf.GradientTape() as tape:
            tape.watch(x)
            p = layer(x)
        variables = [v for m in getattr(layer, "mixtures", [layer]) for v in _variables(m)]
        results.append((p, *tape.gradient(p, [x, *variables], upstream)))
    np.testing.assert_allclose(results[1][0], results[0][0], atol=1e-6)
    np.testing.assert_allclose(results[1][1], results[0][1], atol=1e-5)
    for ours, expected in zip(results[1][2:], parts(results[0][2:])):
        np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_each_group_has_its_own_number_of_experts_and_the_rest_gets_nothing():
    groups = [
        {"classes": [7, 2], "num_mixtures": 1},
        {"classes": [0], "num_mixtures": 17},
        {"classes": [8, 3, 4], "num_mixtures": 2},
    ]
    layer = GroupedMixtureOfExperts(K, groups)
    x = tf.random.stateless_normal([B, D], [1, 2])
    p = layer(x).numpy()
    assert layer.covered_classes == [0, 2, 3, 4, 7, 8]
    assert np.all(p[:, [1, 5, 6]] == 0)
    kernels, biases = D * (2 * 3 + 35 + 3 * 5), 2 + 17 + 6
    assert layer.count_params() == kernels + biases  # a class with one expert has one expert's
    for group, mixture in zip(groups, layer.mixtures):
        np.testing.assert_allclose(p[:, group["classes"]], mixture(x), atol=1e-7)


def test_starts_at_the_priors():
    priors = np.linspace(0.001, 0.4, K)
    layer = GroupedMixtureOfExperts(
        K, [{"classes": [8, 0, 1], "num_mixtures": 2}, {"classes": [5, 3], "num_mixtures": 20}]
    )
    layer.build((None, D))
    layer.initialize_from_priors(priors)
    expected = np.where(np.isin(np.arange(K), [0, 1, 3, 5, 8]), priors, 0)
    np.testing.assert_allclose(layer(tf.zeros([1, D]))[0], expected, rtol=1e-3)


@pytest.mark.parametrize("classes", [[[0, 1], [1]], [[K]], [[-1]], [[]]])
def test_groups_that_are_none(classes):
    with pytest.raises(ValueError, match="disjoint"):
        GroupedMixtureOfExperts(K, [{"classes": c, "num_mixtures": 2} for c in classes])


def test_weight_files_name_groups_alike_on_either_keras(tmp_path):
    model = tf.keras.Sequential(
        [GroupedMixtureOfExperts(K, [{"classes": [c], "num_mixtures": 1} for c in range(K)])]
    )
    model(tf.zeros([1, D]))
    path = str(tmp_path / "m.weights.h5")
    model.save_weights(path)
    with h5py.File(path) as f:
        names = []
        f.visititems(
            lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
        )
    assert len(names) == 3 * K
    assert {n.split("/")[-3] for n in names} == {f"group_{i}" for i in range(K)}


def test_splits_of_the_labels():
    assert [len(g) for g in label_groups(4716, 500)] == [500] * 9 + [216]
    assert label_groups(7, 3) == [[0, 1, 2], [3, 4, 5], [6]]
    drawn = label_groups(4716, 500, "random", 1)
    assert sorted(c for g in drawn for c in g) == list(range(4716))
    assert drawn != label_groups(4716, 500, "random", 2)
    assert drawn == label_groups(4716, 500, "random", 1)
    assert drawn[0] == sorted(drawn[0])
    assert drawn[0] != list(range(500))
    with pytest.raises(ValueError, match="split"):
        label_groups(10, 5, "odd")
    with pytest.raises(ValueError, match="1 or more"):
        label_groups(10, 0)
