"""The parallel mixture: its groups, what it covers, and that it is one big mixture."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.models.core import registry


def make(**arguments):
    tf.keras.utils.set_random_seed(1)
    return registry.create(
        "PMoE", **{"num_classes": 11, "feature_sizes": (5, 2), "num_mixtures": 2, **arguments}
    ).build_weights()


def test_the_papers_sizes():
    cls = registry.model_class("PMoE")
    model = cls(4716)  # not built: 200 experts on 4716 classes are 2.2 billion weights
    assert [len(g["classes"]) for g in model.head.groups] == [500] * 9 + [216]
    assert {g["num_mixtures"] for g in model.head.groups} == {200}
    assert cls(4716, num_mixtures=1000, num_labels=1000, group_size=100).covered_classes == list(
        range(1000)
    )


def test_classes_beyond_num_labels_are_not_predicted():
    model = make(num_labels=4, group_size=3)
    p = model({"video": tf.random.stateless_normal([3, 7], [1, 2])}).numpy()
    assert np.all(p[:, :4] > 0)
    assert np.all(p[:, 4:] == 0)
    assert model.covered_classes == [0, 1, 2, 3]
    assert make().covered_classes is None
    with pytest.raises(ValueError, match="num_labels"):
        make(num_labels=12)


@pytest.mark.parametrize("split", ["ordered", "random"])
def test_it_is_one_big_mixture(split):
    """Equal initial values give equal predictions, whatever the split."""
    one = registry.create("MoeModel", num_classes=11, feature_sizes=(5, 2)).build_weights()
    model = make(group_size=4, split=split, split_seed=3)
    for group, mixture in zip(model.head.groups, model.head.mixtures):
        mixture.set_weights([w[..., group["classes"]] for w in one.get_weights()])
    inputs = {"video": tf.random.stateless_normal([3, 7], [1, 2])}
    np.testing.assert_allclose(model(inputs), one(inputs), atol=1e-6)


@pytest.mark.parametrize("split", ["ordered", "random"])
def test_every_group_starts_at_its_own_classes_priors(split):
    model = make(group_size=4, split=split)
    priors = np.linspace(0.05, 0.4, 11)
    model.initialize_from_priors(priors)
    p = model({"video": tf.zeros([1, 7])}).numpy()[0]  # even gates: the biases alone speak
    np.testing.assert_allclose(p, priors, atol=1e-6)
