"""What every registered model must hold to; a new model is tested the moment it is registered.

Sizes are shrunk by the names of constructor arguments, so a stranger's model needs no entry here.
"""

import inspect
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.support.every_model import every_model
from yt8m.losses.registry import get
from yt8m.models.core import registry
from yt8m.models.core.arguments import constructor_arguments
from yt8m.runs.load import load_weights
from yt8m.runs.save import save_weights
from yt8m.training.optimizers import make_optimizer, prepare
from yt8m.training.step import TrainStep
from yt8m.training.weight_average import WeightAverage, tf_variable

K, SIZES, B, T = 7, (12, 4), 6, 9
SMALL = 8  # what an integer argument larger than it is shrunk to
MODELS = registry.list_models()
XLA_PROCESSES = 4


def tiny_arguments(name):
    """Constructor arguments of a model with every large integer shrunk; of a list the first two, small ones as 1."""
    cls = registry.model_class(name)
    defaults = {}
    for base in cls.__mro__:
        if "__init__" in vars(base):
            for key, parameter in inspect.signature(base.__init__).parameters.items():
                defaults.setdefault(key, parameter.default)
    shrunk = {
        k: SMALL
        for k in constructor_arguments(cls)
        if type(defaults.get(k)) is int and defaults[k] > SMALL
    }
    for key in set(constructor_arguments(cls)):
        if isinstance(defaults.get(key), (list, tuple)):
            shrunk[key] = [SMALL if n > SMALL else 1 for n in defaults[key][:2]]
    return {"num_classes": K, "feature_sizes": SIZES, **shrunk}


def make(name, **more):
    tf.keras.utils.set_random_seed(3)
    return registry.create(name, **{**tiny_arguments(name), **more}).build_weights()


def batch_for(model, rows=B, frames=T, seed=0):
    rng = np.random.default_rng(seed)
    batch = {
        "frames": tf.constant(rng.integers(0, 256, (rows, frames, sum(SIZES))), tf.uint8),
        "video": tf.constant(rng.normal(size=(rows, sum(SIZES))), tf.float32),
        "num_frames": tf.constant(rng.integers(1, frames + 1, rows), tf.int32),
    }
    return model.select_inputs(batch)


def labels_for(rows=B, seed=1):
    return (np.random.default_rng(seed).random((rows, K)) < 0.4).astype(np.uint8)


@pytest.mark.parametrize("name", MODELS)
def test_output_is_probabilities(name):
    model = make(name)
    p = model(batch_for(model), training=False)
    assert p.shape == (B, K)
    assert p.dtype == tf.float32
    assert np.all(p >= 0)
    assert np.all(p <= 1)


@pytest.mark.parametrize(
    "name",
    [name for name in MODELS if "input_norm" in constructor_arguments(registry.model_class(name))],
)
def test_the_norm_of_the_input_is_the_one_asked_for(name):
    models = [make(name, input_norm=norm) for norm in ("l2", "none")]
    outputs = [model(batch_for(model), training=False).numpy() for model in models]
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-6


@pytest.mark.parametrize("name", MODELS)
def test_a_gradient_reaches_every_weight(name):
    model = make(name)
    inputs, loss = batch_for(model), get("CrossEntropyLoss")
    with tf.GradientTape() as tape:
        total = tf.reduce_mean(loss(labels_for(), model(inputs, training=True), None))
    gradients = tape.gradient(total, [tf_variable(v) for v in model.trainable_variables])
    dead = [
        v.name
        for v, g in zip(model.trainable_variables, gradients)
        if g is None or not np.any(np.abs(g) > 0)
    ]
    assert not dead


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
        garbage = tf.fill([B, 5, sum(SIZES)], tf.constant(77, tf.uint8))
        padded = {**inputs, "frames": tf.concat([inputs["frames"], garbage], 1)}
        np.testing.assert_allclose(model(padded, training=False), whole, atol=1e-5)


@pytest.mark.parametrize("name", [m for m in MODELS if registry.model_class(m).level == "frame"])
def test_a_video_without_frames_gives_probabilities(name):
    model = make(name)
    inputs = {**batch_for(model), "num_frames": tf.constant([0] + [T] * (B - 1))}
    assert np.all(np.isfinite(model(inputs, training=False)))


@pytest.mark.parametrize("name", MODELS)
def test_saves_and_loads(name, tmp_path):
    model = make(name)
    inputs = batch_for(model)
    expected = model(inputs, training=False)
    path = str(tmp_path / "best" / "model.weights.h5")
    save_weights(model, path)
    config = json.loads(json.dumps(model.get_config()))
    tf.keras.utils.set_random_seed(99)
    again = registry.model_class(name).from_config(config).build_weights()
    load_weights(again, path)
    np.testing.assert_allclose(again(inputs, training=False), expected, atol=1e-6)
    assert sorted(os.listdir(tmp_path / "best")) == ["model.weights.h5"]


@pytest.mark.parametrize("name", MODELS)
def test_get_config_holds_every_constructor_argument(name):
    missing = (
        set(constructor_arguments(registry.model_class(name)))
        - set(make(name).get_config())
        - {"name", "dtype"}
    )
    assert not missing


@pytest.mark.parametrize("name", every_model())
def test_trains_under_mirrored_strategy(name, mirrored):
    recipe = registry.model_class(name).recipe.updated({"batch_size": 4})
    with mirrored.scope():
        model = make(name)
        average = WeightAverage(model.trainable_variables, recipe.weight_average)
        optimizer = make_optimizer(recipe, 100)
        prepare(optimizer, model.trainable_variables)
        step = TrainStep(mirrored, model, get(recipe.label_loss), optimizer, average, recipe)
    before = [w.copy() for w in model.get_weights()]
    examples = {**batch_for(model, 8), "labels": labels_for(8)}
    data = tf.data.Dataset.from_tensor_slices(examples).batch(2, drop_remainder=True)
    iterator = iter(mirrored.distribute_datasets_from_function(lambda _: data))
    step(iterator, tf.constant(1))
    sums = step.read_sums()
    assert np.isfinite(sums["loss"])
    assert sums["broken"] == 0
    assert any(np.any(a != b) for a, b in zip(before, model.get_weights()))


@pytest.mark.parametrize("name", MODELS)
def test_bfloat16_runs_and_gives_float32(name):
    expected = make(name)
    inputs = batch_for(expected)
    reference = expected(inputs, training=False)
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = make(name)
    model.set_weights(expected.get_weights())
    with tf.GradientTape() as tape:
        total = tf.reduce_mean(
            get("CrossEntropyLoss")(labels_for(), model(inputs, training=True), None)
        )
    gradients = tape.gradient(total, [tf_variable(v) for v in model.trainable_variables])
    assert all(g is not None and np.all(np.isfinite(g)) for g in gradients)
    model.set_weights(expected.get_weights())
    p = model(inputs, training=False)
    assert p.dtype == tf.float32
    np.testing.assert_allclose(p, reference, atol=0.05)


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
    if "initial" in constructor_arguments(registry.model_class(name)):
        plain = make(name, initial="zeros")
        before = plain(batch_for(plain), training=False).numpy()
        plain.initialize_from_priors(priors)
        np.testing.assert_array_equal(plain(batch_for(plain), training=False), before)


@pytest.mark.slow  # half a minute each
@pytest.mark.parametrize("part", range(XLA_PROCESSES))
def test_models_compile_under_xla(part):
    """In a process of its own: XLA cannot compile where one CPU is split into two devices."""
    code = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('t', {__file__!r}); t = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(t)\n"
        f"t.compare_with_xla({part})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert done.stdout.split() == MODELS[part::XLA_PROCESSES]


def compare_with_xla(part):
    """Print each model of one part whose compiled training step and prediction equal the plain ones."""
    for name in MODELS[part::XLA_PROCESSES]:
        rates = {
            k: 0.0 for k in constructor_arguments(registry.model_class(name)) if "dropout" in k
        }  # XLA draws other numbers
        model = make(name, **rates)
        inputs, labels = batch_for(model), tf.constant(labels_for())
        variables = [tf_variable(v) for v in model.trainable_variables]
        stateful = [v.numpy() for v in model.non_trainable_variables]

        def both():  # in one function, which is traced and compiled once
            predictions = model(inputs, training=False)
            with tf.GradientTape() as tape:
                total = tf.reduce_mean(
                    get("CrossEntropyLoss")(labels, model(inputs, training=True), None)
                )
            return predictions, [tf.convert_to_tensor(g) for g in tape.gradient(total, variables)]

        plain_p, plain = tf.function(both)()
        for v, value in zip(model.non_trainable_variables, stateful):
            v.assign(value)
        fast_p, fast = tf.function(both, jit_compile=True)()
        np.testing.assert_allclose(plain_p, fast_p, atol=1e-5, err_msg=name)
        for a, b in zip(plain, fast):
            np.testing.assert_allclose(a, b, atol=2e-4, err_msg=name)
        print(name, flush=True)
