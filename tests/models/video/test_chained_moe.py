"""The chain of mixtures: its weights, what each stage sees, and the support losses."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.losses.registry import get
from yt8m.models.core import registry

X = tf.constant(np.random.default_rng(0).normal(size=(4, 9)), tf.float32)


def make(**arguments):
    tf.keras.utils.set_random_seed(1)
    given = {"num_classes": 5, "feature_sizes": (7, 2), "relu_size": 3, **arguments}
    return registry.create("ChainedMoeModel", **given).build_weights()


def chain(width, stages, relu, experts, classes):
    """Weights of every mixture, whose input is wider by `relu` at each stage, and of the layers."""
    weights = stages * (classes * relu + relu)
    for stage in range(stages + 1):
        x = width + relu * stage
        weights += x * classes * (experts + 1) + x * classes * experts + classes * experts
    return weights


@pytest.mark.parametrize(("stages", "relu", "experts"), [(3, 4, 2), (2, 5, 3)])
def test_as_many_weights_as_published(stages, relu, experts):
    """Equal as functions of the sizes, and so at the published ones, for the release of 2017."""
    assert chain(1152, 8, 128, 2, 4716) == 358_049_176
    model = make(num_stages=stages, relu_size=relu, num_mixtures=experts)
    weights = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert weights == chain(9, stages, relu, experts, 5)


def test_each_stage_sees_the_reduced_predictions_of_the_earlier_ones():
    model = make(num_stages=2)
    x, seen = tf.math.l2_normalize(X, axis=-1), []
    for stage, reducer in zip(model.stages, model.reducers):
        seen.append(stage(x))
        kernel, bias = reducer.get_weights()
        reduced = np.maximum(seen[-1].numpy() @ kernel + bias, 0)
        reduced /= np.maximum(np.linalg.norm(reduced, axis=1, keepdims=True), 1e-6)
        x = tf.concat([x, reduced.astype(np.float32)], 1)
    assert x.shape == (4, 9 + 2 * 3)
    found = model.predictions_of_stages({"video": X})
    for a, b in zip(found, [*seen, model.head(x)]):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    np.testing.assert_allclose(model({"video": X}), found[-1], rtol=1e-6)


def test_the_earlier_mixtures_have_their_share_of_the_loss():
    model, loss = make(num_stages=2, support_loss=0.2), get("CrossEntropyLoss")
    labels = (np.random.default_rng(1).random((4, 5)) < 0.4).astype(np.float32)
    total, p = model.training_loss({"video": X}, labels, None, loss)
    first, second, last = (
        loss(labels, each, None) for each in model.predictions_of_stages({"video": X})
    )
    np.testing.assert_allclose(total, 0.8 * last + 0.2 * (first + second), rtol=1e-5)
    np.testing.assert_allclose(p, model({"video": X}), rtol=1e-6)
