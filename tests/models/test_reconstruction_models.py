"""What every registered reconstruction model must hold to: the loss of each video, and all that its trainer and its heirs need."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.models.test_models import B, T, batch_for, labels_for, make
from yt8m.models.core import registry
from yt8m.models.core.arguments import constructor_arguments
from yt8m.runs.load import load_weights
from yt8m.runs.save import save_weights
from yt8m.training.optimizers import make_optimizer, prepare
from yt8m.training.step import TrainStep
from yt8m.training.weight_average import WeightAverage, tf_variable

MODELS = registry.list_models(task="reconstruction")
SHORT = {"clip_size": 3}  # of T frames


def small(name, **more):
    return make(
        name,
        **{
            k: v for k, v in SHORT.items() if k in constructor_arguments(registry.model_class(name))
        },
        **more,
    )


def gradients_of(model, inputs):
    with tf.GradientTape() as tape:
        each, predictions = model.training_loss(inputs, labels_for(), None, None)
        total = tf.reduce_sum(each)
    assert predictions is None
    return tape.gradient(total, [tf_variable(v) for v in model.trainable_variables])


def test_there_are_some():
    assert "ContextEncoderModel" in MODELS
    assert not set(MODELS) & set(registry.list_models())


@pytest.mark.parametrize("name", MODELS)
def test_a_loss_of_each_video_and_a_gradient_to_every_weight(name):
    model = small(name)
    inputs = {**batch_for(model), "num_frames": tf.constant([T] * (B - 1) + [0])}
    each = model(inputs, training=False)
    assert each.shape == (B,)
    assert each.dtype == tf.float32
    assert np.all(each[:-1] > 0)
    assert np.isfinite(each[-1])
    dead = [
        v.name
        for v, g in zip(model.trainable_variables, gradients_of(model, inputs))
        if g is None or not np.any(np.abs(g) > 0)
    ]
    assert not dead


@pytest.mark.parametrize("name", MODELS)
def test_it_is_made_again_from_its_files(name, tmp_path):
    model = small(name)
    assert (
        not set(constructor_arguments(registry.model_class(name)))
        - set(model.get_config())
        - {"name", "dtype"}
    )
    inputs = batch_for(model)
    save_weights(model, str(tmp_path / "model.weights.h5"))
    tf.keras.utils.set_random_seed(99)
    again = (
        registry.model_class(name)
        .from_config(json.loads(json.dumps(model.get_config())))
        .build_weights()
    )
    load_weights(again, str(tmp_path / "model.weights.h5"))
    np.testing.assert_allclose(
        again(inputs, training=False), model(inputs, training=False), rtol=1e-5
    )


@pytest.mark.parametrize("name", MODELS)
def test_bfloat16(name):
    model = small(name)
    inputs = {**batch_for(model), "num_frames": tf.fill([B], T)}
    expected = model(inputs, training=False)
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    half = small(name)
    half.set_weights(model.get_weights())
    loss = half(inputs, training=False)
    assert loss.dtype == tf.float32
    np.testing.assert_allclose(loss, expected, rtol=0.05)
    assert all(g is not None and np.all(np.isfinite(g)) for g in gradients_of(half, inputs))


@pytest.mark.parametrize("name", MODELS)
def test_it_trains_on_two_replicas(name, mirrored):
    recipe = registry.model_class(name).recipe.updated({"batch_size": 4})
    with mirrored.scope():
        model = small(name)
        average = WeightAverage(model.trainable_variables, recipe.weight_average)
        optimizer = make_optimizer(recipe, 100)
        prepare(optimizer, model.trainable_variables)
        step = TrainStep(mirrored, model, None, optimizer, average, recipe)
    before = [w.copy() for w in model.get_weights()]
    data = tf.data.Dataset.from_tensor_slices(
        {**batch_for(model, 8), "labels": labels_for(8)}
    ).batch(2, drop_remainder=True)
    _, predictions = step(
        iter(mirrored.distribute_datasets_from_function(lambda _: data)), tf.constant(1)
    )
    assert predictions is None
    sums = step.read_sums()
    assert np.isfinite(sums["loss"])
    assert sums["broken"] == 0
    assert any(np.any(a != b) for a, b in zip(before, model.get_weights()))


@pytest.mark.slow
def test_they_compile_under_xla():
    code = (
        "from tests.models.test_reconstruction_models import compare_with_xla; compare_with_xla()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert done.stdout.split() == MODELS


def compare_with_xla():
    """Print each model whose compiled loss and its gradient equal the plain ones; training, with what it draws, must compile."""
    for name in MODELS:
        model = small(name)
        inputs = batch_for(model)
        variables = [tf_variable(v) for v in model.trainable_variables]

        def gradients(training):
            with tf.GradientTape() as tape:
                total = tf.reduce_mean(model(inputs, training=training))
            return [total] + [tf.convert_to_tensor(g) for g in tape.gradient(total, variables)]

        compiled = tf.function(gradients, jit_compile=True)
        for a, b in zip(tf.function(gradients)(False), compiled(False)):
            np.testing.assert_allclose(a, b, atol=2e-4, err_msg=name)
        assert all(np.all(np.isfinite(g)) for g in compiled(True))
        print(name, flush=True)
