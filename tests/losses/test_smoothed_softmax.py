"""Softmax with smoothed labels: the loss, its head, and the refusal of other heads."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.support.runs import new_run
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.layers.heads.logistic_head import LogisticHead
from yt8m.losses.registry import get
from yt8m.runs.build import make_model

Y = np.array([[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]], np.uint8)
LOGITS = np.array([[2.0, -1.0, 0.5, 0.0], [0.1, 0.2, 0.3, 0.4], [1.0, 2.0, 3.0, 4.0]], np.float32)


def test_equals_keras_softmax_cross_entropy_with_soft_targets_and_no_second_softmax():
    loss = get("SmoothedSoftmaxLoss")(tf.constant(Y), tf.nn.softmax(LOGITS))
    soft = Y[:2] / Y[:2].sum(1, keepdims=True)
    expected = tf.nn.softmax_cross_entropy_with_logits(soft.astype(np.float32), LOGITS[:2])
    np.testing.assert_allclose(loss[:2], expected, rtol=1e-6)
    assert float(loss[2]) == 0.0  # no labels
    twice = get("SoftmaxLoss")(tf.constant(Y), tf.nn.softmax(LOGITS))
    assert not np.allclose(twice[:2], expected, rtol=0.05)


def test_its_gradient_is_exact_even_for_a_class_that_is_nearly_impossible():
    logits = tf.Variable([[0.0, -40.0, 3.0]])
    y = np.array([[1, 1, 0]])
    with tf.GradientTape() as tape:
        loss = get("SmoothedSoftmaxLoss")(tf.constant(y), tf.nn.softmax(logits))
    expected = tf.nn.softmax(logits).numpy() - y / 2
    np.testing.assert_allclose(tape.gradient(loss, logits), expected, atol=1e-5)


def test_weights_multiply_the_class_terms():
    p = tf.nn.softmax(LOGITS)
    weights = np.array([[2.0, 5.0, 0.0, 1.0]], np.float32)
    found = get("SmoothedSoftmaxLoss")(tf.constant(Y[:1]), p[:1], tf.constant(weights))
    np.testing.assert_allclose(found, [-np.log(p.numpy()[0, 0])], rtol=1e-6)


def test_a_softmax_head_starts_at_each_class_share():
    head = LogisticHead(4, activation="softmax")
    head.build((None, 3))
    priors = np.array([0.6, 0.3, 0.2, 0.1])
    head.initialize_from_priors(priors)
    np.testing.assert_allclose(head(tf.zeros([2, 3])), np.tile(priors / 1.2, (2, 1)), rtol=1e-5)
    with pytest.raises(ValueError, match="activation"):
        LogisticHead(4, activation="tanh")


def config_of(name, level, **arguments):
    schema = RecordSchema(level, ("a", "b"), (6, 2), 5)
    recipe = {"label_loss": "SmoothedSoftmaxLoss"}
    return new_run("x", name, schema=schema, recipe=recipe, arguments=arguments)


@pytest.mark.parametrize(
    ("name", "level", "arguments"),
    [
        ("LogisticModel", "video", {"activation": "softmax"}),
        ("FrameLevelLogisticModel", "frame", {"activation": "softmax"}),
        ("LstmModel", "frame", {"head": "softmax", "cells": 8}),
    ],
)
def test_any_model_with_a_logistic_head_can_have_a_softmax(name, level, arguments):
    model = make_model(config_of(name, level, **arguments))
    inputs = {k: tf.cast(tf.fill(v.shape, 3), v.dtype) for k, v in model.example_inputs().items()}
    np.testing.assert_allclose(
        tf.reduce_sum(model(inputs, training=False), -1), [1.0, 1.0], rtol=1e-5
    )
    again = type(model).from_config(json.loads(json.dumps(model.get_config())))
    assert again.sums_to_one


@pytest.mark.parametrize(
    ("name", "level"),
    [("MoeModel", "video"), ("LogisticModel", "video"), ("FrameLevelLogisticModel", "frame")],
)
def test_a_head_without_a_softmax_is_refused_with_the_option_that_mends_it(name, level):
    with pytest.raises(
        UserError, match=f"SmoothedSoftmaxLoss.*--model={name}.*--model_option=activation=softmax"
    ):
        make_model(config_of(name, level))
