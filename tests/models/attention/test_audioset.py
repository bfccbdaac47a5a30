"""The attention networks of AudioSet: the published sizes, and the levels."""

import numpy as np
import pytest

from tests.support.models import batch_for, make
from yt8m.models.core import registry

D, K, H = 128, 527, 1024  # the published sizes


def dense(inputs, units):
    return inputs * units + units


# With γ and β of each normalization; moving statistics are not trained.
EMBEDDING = dense(D, H) + 2 * dense(H, H) + 3 * 2 * H
PUBLISHED = {
    # model, levels: the layers after the embedding
    ("DecisionAttentionModel", 1): 2 * dense(H, K),
    ("DecisionAttentionModel", 2): 4 * dense(H, K) + dense(2 * K, K),
    ("FeatureAttentionModel", 1): 2 * dense(H, H) + 2 * H + dense(H, K),
}


@pytest.mark.parametrize(("name", "levels"), PUBLISHED)
def test_as_many_weights_as_in_the_published_code(name, levels):
    model = registry.create(name, num_classes=K, feature_sizes=(D,), levels=levels).build_weights()
    weights = sum(int(np.prod(w.shape)) for w in model.trainable_variables)
    assert weights == EMBEDDING + PUBLISHED[name, levels]


@pytest.mark.parametrize("name", ["DecisionAttentionModel", "FeatureAttentionModel"])
def test_each_level_has_an_attention_of_its_own(name):
    model = make(name, levels=2)
    inputs = batch_for(model)
    before = model(inputs, training=False).numpy()
    outputs, _ = model.embedded(inputs)
    np.testing.assert_allclose(model.embed[2](outputs[0]), outputs[1], rtol=1e-5, atol=1e-6)
    for pool in model.pools:
        for kernel in (pool.value_kernel, pool.weight_kernel):
            kept = kernel.numpy()
            kernel.assign(5 * kept)
            assert np.abs(model(inputs, training=False) - before).max() > 1e-6
            kernel.assign(kept)


def test_more_levels_than_layers_are_refused():
    with pytest.raises(ValueError, match=r"levels=4 needs as many layers, but layers=3"):
        make("FeatureAttentionModel", levels=4)
