"""What every registered model must satisfy; a new model is tested as soon as it is registered."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.support.every_model import every_model
from tests.support.models import (
    B,
    K,
    T,
    batch_for,
    dead_weights,
    gradients_of,
    labels_for,
    make,
    padded,
)
from yt8m.losses.registry import get
from yt8m.models.core import registry
from yt8m.models.core.arguments import constructor_arguments
from yt8m.runs.load import load_weights
from yt8m.runs.save import save_weights
from yt8m.training.optimizers import make_optimizer, prepare
from yt8m.training.step import TrainStep
from yt8m.training.weight_average import WeightAverage

MODELS = registry.list_models()
RECONSTRUCTIONS = registry.list_models(task="reconstruction")
FRAME_MODELS = [name for name in MODELS if registry.model_class(name).level == "frame"]
XLA_PROCESSES = 4


def arguments_of(name):
    return constructor_arguments(registry.model_class(name))


def test_each_model_has_one_task():
    assert "ContextEncoderModel" in RECONSTRUCTIONS
    assert sorted(MODELS + RECONSTRUCTIONS) == registry.list_models(task=None)


@pytest.mark.parametrize("name", MODELS)
def test_output_is_probabilities(name):
    model = make(name)
    p = model(batch_for(model), training=False)
    assert p.shape == (B, K)
    assert p.dtype == tf.float32
    assert np.all(p >= 0)
    assert np.all(p <= 1)


@pytest.mark.parametrize("name", RECONSTRUCTIONS)
def test_output_is_a_loss_of_each_video(name):
    model = make(name)
    inputs = {**batch_for(model), "num_frames": tf.constant([T] * (B - 1) + [0])}
    each = model(inputs, training=False)
    assert each.shape == (B,)
    assert each.dtype == tf.float32
    assert np.all(each[:-1] > 0)
    assert np.isfinite(each[-1])
    loss, predictions = model.training_loss(inputs, labels_for(), None, None)
    assert loss.shape == (B,)
    assert predictions is None


@pytest.mark.parametrize("name", [name for name in MODELS if "input_norm" in arguments_of(name)])
def test_input_norm_is_applied(name):
    models = [make(name, input_norm=norm) for norm in ("l2", "none", "standardize")]
    outputs = [model(batch_for(model), training=False).numpy() for model in models]
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-6
    size = models[2].feature_size
    models[2].standardize_inputs(np.linspace(-1, 1, size), np.linspace(1, 2, size))
    standardized = models[2](batch_for(models[2]), training=False).numpy()
    assert np.abs(standardized - outputs[2]).max() > 1e-6, "before, the statistics were 0 and 1"


@pytest.mark.parametrize("name", MODELS + RECONSTRUCTIONS)
def test_a_gradient_reaches_every_weight(name):
    model = make(name)
    assert not dead_weights(model, batch_for(model))


@pytest.mark.parametrize("name", MODELS)
def test_predictions_depend_neither_on_the_batch_nor_on_padding(name):
    model = make(name)
    inputs = batch_for(model)
    whole = model(inputs, training=False).numpy()
    for size in (1, 3):
        parts = [
            model({k: v[i : i + size] for k, v in inputs.items()}, training=False)
            for i in range(0, B, size)
        ]
        np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)
    if model.level == "frame":
        np.testing.assert_allclose(model(padded(inputs), training=False), whole, atol=1e-5)


@pytest.mark.parametrize("name", FRAME_MODELS)
def test_a_video_without_frames_gives_probabilities(name):
    model = make(name)
    inputs = {**batch_for(model), "num_frames": tf.constant([0] + [T] * (B - 1))}
    assert np.all(np.isfinite(model(inputs, training=False)))


@pytest.mark.parametrize("name", MODELS + RECONSTRUCTIONS)
def test_saves_and_loads(name, tmp_path):
    model = make(name)
    inputs = batch_for(model)
    expected = model(inputs, training=False)
    path = str(tmp_path / "best" / "model.weights.h5")
    save_weights(model, path)
    config = json.loads(json.dumps(model.get_config()))
    assert set(arguments_of(name)) <= set(config)
    tf.keras.utils.set_random_seed(99)
    again = registry.model_class(name).from_config(config).build_weights()
    load_weights(again, path)
    np.testing.assert_allclose(again(inputs, training=False), expected, rtol=1e-5, atol=1e-6)
    assert again.get_config() == config
    assert os.listdir(tmp_path / "best") == ["model.weights.h5"]


@pytest.mark.parametrize("name", [*every_model(), *RECONSTRUCTIONS])
def test_trains_on_two_replicas(name, mirrored):
    recipe = registry.model_class(name).recipe.updated({"batch_size": 4})
    with mirrored.scope():
        model = make(name, shallow=True)
        average = WeightAverage(model.trainable_variables, recipe.weight_average)
        optimizer = make_optimizer(recipe, 100)
        prepare(optimizer, model.trainable_variables)
        step = TrainStep(mirrored, model, get(recipe.label_loss), optimizer, average, recipe)
    before = [w.copy() for w in model.get_weights()]
    examples = {**batch_for(model, 8), "labels": labels_for(8)}
    data = tf.data.Dataset.from_tensor_slices(examples).batch(2, drop_remainder=True)
    iterator = iter(mirrored.distribute_datasets_from_function(lambda _: data))
    _, predictions = step(iterator, tf.constant(1))
    assert (predictions is None) == (name in RECONSTRUCTIONS)
    sums = step.read_sums()
    assert np.isfinite(sums["loss"])
    assert sums["broken"] == 0
    assert any(np.any(a != b) for a, b in zip(before, model.get_weights()))


@pytest.mark.parametrize("name", MODELS + RECONSTRUCTIONS)
def test_bfloat16_runs_and_gives_float32(name):
    expected = make(name)
    inputs = batch_for(expected)
    reference = expected(inputs, training=False)
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = make(name)
    model.set_weights(expected.get_weights())
    assert all(g is not None and np.all(np.isfinite(g)) for g in gradients_of(model, inputs))
    model.set_weights(expected.get_weights())
    answer = model(inputs, training=False)
    assert answer.dtype == tf.float32
    tolerance = {"rtol": 0.05} if name in RECONSTRUCTIONS else {"rtol": 0.0, "atol": 0.05}
    np.testing.assert_allclose(answer, reference, **tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_fits_by_keras_own_loop(name):
    model = make(name)
    model.compile(
        optimizer="sgd", loss=lambda y, p: get("CrossEntropyLoss")(y, p, None), jit_compile=False
    )
    data = tf.data.Dataset.from_tensors((batch_for(model), labels_for().astype(np.float32)))
    history = model.fit(data, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"][0])


@pytest.mark.parametrize("name", MODELS)
def test_starts_from_the_priors(name):
    model = make(name)
    priors = np.linspace(0.01, 0.4, K)
    model.initialize_from_priors(priors)
    p = model(batch_for(model, 32), training=False).numpy().mean(0)
    np.testing.assert_allclose(p, priors, rtol=0.5, atol=0.02)
    if "initial" in arguments_of(name):
        plain = make(name, initial="zeros")
        before = plain(batch_for(plain), training=False).numpy()
        plain.initialize_from_priors(priors)
        np.testing.assert_array_equal(plain(batch_for(plain), training=False), before)


@pytest.mark.slow  # half a minute each
@pytest.mark.parametrize("part", range(XLA_PROCESSES))
def test_models_compile_under_xla(part):
    """In a process of its own: XLA cannot compile where one CPU is split into two devices."""
    code = f"from tests.models.test_models import compare_with_xla; compare_with_xla({part})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert done.stdout.split() == (MODELS + RECONSTRUCTIONS)[part::XLA_PROCESSES]


def compare_with_xla(part):
    """Print each model of one part whose compiled step and prediction equal the plain ones."""
    for name in (MODELS + RECONSTRUCTIONS)[part::XLA_PROCESSES]:
        _compare_one_with_xla(name)
        print(name, flush=True)


def _compare_one_with_xla(name):
    # XLA draws other random numbers: no dropout, and the clips of a validation.
    rates = {key: 0.0 for key in arguments_of(name) if "dropout" in key}
    model, compared = make(name, **rates), name in MODELS
    inputs = batch_for(model)
    stateful = [v.numpy() for v in model.non_trainable_variables]

    def step(training):  # one function, which is traced and compiled once
        answer = model(inputs, training=False)
        gradients = gradients_of(model, inputs, training)
        return answer, [tf.convert_to_tensor(g) for g in gradients]

    compiled = tf.function(step, jit_compile=True)
    plain_answer, plain = tf.function(step)(compared)
    for v, value in zip(model.non_trainable_variables, stateful):
        v.assign(value)
    answer, gradients = compiled(compared)
    tolerance = 1e-5 if compared else 2e-4
    np.testing.assert_allclose(plain_answer, answer, atol=tolerance, err_msg=name)
    for a, b in zip(plain, gradients):
        np.testing.assert_allclose(a, b, atol=2e-4, err_msg=name)
    assert compared or all(np.all(np.isfinite(g)) for g in compiled(True)[1])
