"""Predictions on several replicas."""

import numpy as np
import tensorflow as tf

from tests.support.runs import run_on
from yt8m.data.files.shards import find_shards
from yt8m.data.pipeline import build_dataset
from yt8m.runs.build import make_model
from yt8m.runs.devices.strategy import make_strategy
from yt8m.runs.predictor import Predictor


def test_two_replicas_predict_what_one_predicts(small_data, mirrored):
    config = run_on(small_data, "MoeModel")
    one = make_model(config)
    with mirrored.scope():
        two = make_model(config)
    two.set_weights(one.get_weights())
    files = find_shards(small_data.pattern("validate", "video"))
    batches = build_dataset(files, config.schema, batch_size=33)

    def predicted(strategy, model):
        return np.concatenate([p for _, p in Predictor(strategy, model, 33).over(batches)])

    many = predicted(mirrored, two)
    assert many.shape == (160, 12)
    np.testing.assert_allclose(many, predicted(make_strategy("one"), one), atol=1e-6)


class Branching:
    """Stands for a model whose `call` has a branch that AutoGraph must convert."""

    def select_inputs(self, batch):
        return batch

    def __call__(self, inputs, training):
        x = inputs["video"]
        if tf.reduce_sum(x) > 0:
            return x + 1.0
        return x


def test_a_model_may_branch_on_a_tensor():
    predictor = Predictor(make_strategy("one"), Branching(), 2)
    np.testing.assert_array_equal(predictor({"video": tf.ones([2, 3])}), np.full([2, 3], 2.0))
