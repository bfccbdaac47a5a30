"""The weights of a model that do not depend on its classes are found, taken over and frozen."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.models.core.trunk import Trunk
from yt8m.models.core.weight_transfer import weights_of

SIZES = (6, 2)
SMALL = {
    "FeatureAttentionModel": {"hidden_size": 8, "layers": 2},
    "NetVladModel": {"cluster_size": 4, "hidden_size": 8},
    "GruModel": {"cells": 4},
    "VideoDbofBasic": {"width": 6},
    "PmoeModel": {"num_mixtures": 2, "group_size": 5},
}


def made(name, num_classes=5, sizes=SIZES, seed=None, **arguments):
    """Return a small model; with a seed, one whose weights are random numbers."""
    arguments = {"feature_sizes": sizes, **SMALL.get(name, {}), **arguments}
    model = registry.create(name, num_classes=num_classes, **arguments).build_weights()
    if seed is not None:
        rng = np.random.default_rng(seed)
        model.set_weights([rng.uniform(0.1, 1.0, w.shape) for w in model.get_weights()])
    return model


@pytest.mark.parametrize(
    ("name", "head"),
    [("FeatureAttentionModel", 2), ("NetVladModel", 9), ("GruModel", 3), ("VideoDbofBasic", 3)],
)
def test_the_trunk_is_taken_and_the_head_is_not(name, head):
    other, model = made(name, num_classes=9, seed=1), made(name, seed=2)
    before = [w.numpy() for w in weights_of(model)]
    model.initialize_from(other)
    is_trunk = Trunk(model).is_trunk
    assert is_trunk.count(False) == head
    for mine, theirs, old, taken in zip(weights_of(model), weights_of(other), before, is_trunk):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy() if taken else old)


def test_the_head_may_be_kept_among_as_many_classes():
    other, model = made("GruModel", seed=1), made("GruModel", seed=2)
    before = [w.numpy() for w in weights_of(model)]
    trunk = Trunk(model)
    with trunk.keeping_head():
        model.initialize_from(other)
    for mine, theirs, old, taken in zip(
        weights_of(model), weights_of(other), before, trunk.is_trunk
    ):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy() if taken else old)


def test_the_heads_of_both_may_be_of_different_kinds():
    other = made("GruModel", num_classes=9, seed=1, head="logistic")
    model = made("GruModel", seed=2)
    model.initialize_from(other)
    for mine, theirs in zip(Trunk(model).weights(), Trunk(other).weights()):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


def test_both_parts_are_described():
    trunk = Trunk(made("FeatureAttentionModel"))
    numbers = 8 * 8 + 8 + 8 * 8 + 8  # the kernels and biases of the layers on every frame
    numbers += 2 * (4 * 8 + 1) + 2 * (8 * 8 + 8) + (4 * 8 + 1)
    assert trunk.described() == f"{numbers} weights (embed, pools, pooled_norm)"
    assert trunk.described(head=True) == "45 weights (head)"


@pytest.mark.parametrize("name", ["LogisticModel", "MoeModel", "ChainedMoeModel"])
def test_a_model_without_a_trunk_is_refused(name):
    model = made(name, input_norm="standardize")  # by statistics that nothing learns
    with pytest.raises(UserError, match=f"every layer of {name}.*VideoDbofBasic"):
        Trunk(model).check_divides()
    with pytest.raises(UserError, match=f"every layer of {name}"):
        Trunk(model).freeze()


def test_groups_of_classes_are_no_trunk():
    with pytest.raises(UserError, match=r"PmoeModel.*cannot be found \(their number depends"):
        Trunk(made("PmoeModel", num_classes=12))
    with pytest.raises(UserError, match=r"PmoeModel.*cannot be found \(num_labels"):
        Trunk(made("PmoeModel", num_classes=120, num_labels=100, group_size=60))


def test_other_features_stay_refused():
    wide = made("GruModel", num_classes=9, sizes=(8, 2))
    with pytest.raises(UserError, match=r"What differs: feature_sizes \[8, 2\] there") as error:
        made("GruModel").initialize_from(wide)
    assert "num_classes" not in str(error.value)


def test_a_frozen_trunk_normalizes_by_what_it_has_seen():
    model = made("VideoDbofBasic", seed=1)
    Trunk(model).freeze()
    trained = {id(w) for w in weights_of(model.head)}
    assert len(model.trainable_variables) == len(trained)
    before = [w.numpy() for w in model.non_trainable_variables]
    inputs = {"video": tf.random.stateless_normal((4, 8), seed=(1, 2))}
    inferred = model(inputs, training=False)
    np.testing.assert_allclose(model(inputs, training=True), inferred, rtol=1e-5)
    for weight, old in zip(model.non_trainable_variables, before):
        np.testing.assert_array_equal(weight.numpy(), old)


def test_where_nothing_would_be_trained_freezing_is_refused():
    model = made("ContextEncoderModel", clip_size=2, cells=4, projection_size=4, attention_size=2)
    with pytest.raises(UserError, match="--freeze_trunk: no layer of ContextEncoderModel"):
        Trunk(model).freeze()
