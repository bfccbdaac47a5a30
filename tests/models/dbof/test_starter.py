"""The starter code's deep bag of frames: how its weights begin."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.models.core import registry


@pytest.mark.parametrize("add_batch_norm", [True, False])
def test_weights_start_as_the_starter_codes(add_batch_norm):
    tf.keras.utils.set_random_seed(0)
    sizes = {"feature_sizes": (90, 10), "cluster_size": 2000, "hidden_size": 1000}
    model = registry.create(
        "DbofModel", num_classes=4, add_batch_norm=add_batch_norm, **sizes
    ).build_weights()
    np.testing.assert_allclose(np.std(model.cluster.kernel), 0.1, rtol=0.05)  # 1 / √100
    np.testing.assert_allclose(np.std(model.hidden.kernel), 2000**-0.5, rtol=0.05)
    assert [layer.use_bias for layer in (model.cluster, model.hidden)] == [not add_batch_norm] * 2
    if not add_batch_norm:
        np.testing.assert_allclose(np.std(model.cluster.bias), 0.1, rtol=0.1)
        np.testing.assert_allclose(np.std(model.hidden.bias), 0.01, rtol=0.1)
