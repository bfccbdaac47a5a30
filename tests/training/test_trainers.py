"""A trainer's name leads to its function, and a model says which is its own."""

import pytest
import tensorflow as tf

from yt8m.models.core import registry
from yt8m.models.core.base import Yt8mModel
from yt8m.runs.new_run import choose
from yt8m.training import trainer, trainers


def test_the_joint_trainer_is_found_by_name():
    assert trainers.get("joint") is trainer.train


@pytest.mark.parametrize(("given", "expected"), [("auto", "partitioned"), ("joint", "joint")])
def test_auto_is_what_the_model_says(given, expected):
    class Own(Yt8mModel):
        trainer = "partitioned"

    assert choose(Own, False, {"trainer": given}).training.trainer == expected


def test_a_model_may_have_an_objective_of_its_own():
    model = registry.create("LogisticModel", num_classes=3, feature_sizes=(4,)).build_weights()
    inputs, labels = {"video": tf.ones([2, 4])}, tf.ones([2, 3])
    each, predictions = model.training_loss(
        inputs, labels, None, lambda y, p, w: tf.reduce_sum(p, -1)
    )
    tf.debugging.assert_near(each, tf.reduce_sum(predictions, -1))
