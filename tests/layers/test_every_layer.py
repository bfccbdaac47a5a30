"""What holds for every layer: registration, configuration, masks, types, empty rows and graphs."""

from __future__ import annotations

import inspect
import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.cases import CASES, COUNTS, Case
from yt8m.layers.base import Yt8mLayer

every_case = pytest.mark.parametrize("case", CASES, ids=str)


def scattered(case: Case, seed: int = 1, **more: Any) -> Yt8mLayer:
    """Return a layer whose weights are all different, so that none is at a special value."""
    layer = case.make(**more)
    layer(case.x, **case.others)
    rng = np.random.default_rng(seed)
    layer.set_weights([np.abs(rng.normal(size=w.shape)) * 0.3 for w in layer.get_weights()])
    return layer


def outputs(result: Any) -> list[np.ndarray]:
    """Return the tensors of an answer as arrays."""
    return [np.asarray(t.numpy(), np.float64) for t in tf.nest.flatten(result)]


def first_rows(value: Any, rows: int) -> Any:
    return tf.nest.map_structure(lambda t: t[:rows], value)


def test_every_layer_has_a_case():
    def below(base):
        return {c for sub in base.__subclasses__() for c in (sub, *below(sub))}

    ours = {c for c in below(Yt8mLayer) if c.__module__.startswith("yt8m.")}
    assert ours == {case.layer for case in CASES}


@every_case
def test_a_case_has_every_argument_and_no_default(case):
    """So that the round trip of the configuration misses none."""
    parameters = inspect.signature(case.layer.__init__).parameters
    named = [n for n, p in parameters.items() if n != "self" and p.kind is not p.VAR_KEYWORD]
    assert set(case.arguments) == set(named)
    others = [c.arguments for c in CASES if c.layer is case.layer]
    for name in named:
        assert any(arguments[name] != parameters[name].default for arguments in others)


@every_case
def test_config_and_registration_round_trip(case):
    layer = case.make(name="own", dtype="float32")
    config = json.loads(json.dumps(layer.get_config()))
    assert {name: config[name] for name in case.arguments} == case.arguments
    assert config["name"] == "own"
    name = f"yt8m>{case.layer.__name__}"
    assert tf.keras.utils.get_registered_name(case.layer) == name
    described = tf.keras.utils.serialize_keras_object(layer)
    again = tf.keras.utils.deserialize_keras_object(json.loads(json.dumps(described)))
    assert type(again) is case.layer
    assert again.get_config() == layer.get_config()


@every_case
def test_weights_carry_over_to_a_layer_made_from_the_config(case):
    layer = scattered(case)
    again = case.layer.from_config(layer.get_config())
    again(case.x, **case.others)
    again.set_weights(layer.get_weights())
    found = outputs(again(case.x, **case.others))
    for a, b in zip(found, outputs(layer(case.x, **case.others))):
        np.testing.assert_array_equal(a, b)


@every_case
def test_the_same_in_a_graph_of_static_shapes_and_of_an_open_batch(case):
    layer = scattered(case)
    expected = outputs(layer(case.x, **case.others))
    for batch in (len(COUNTS), None):
        specs = tf.nest.map_structure(
            lambda t, batch=batch: tf.TensorSpec([batch, *t.shape[1:]], t.dtype),
            (case.x, case.others),
        )
        call = tf.function(lambda x, others: layer(x, **others), input_signature=specs)
        result = call.get_concrete_function().structured_outputs
        for t in tf.nest.flatten(result):
            assert t.shape[1:].is_fully_defined(), "no shape but the batch may be open"
        for a, b in zip(outputs(call(case.x, case.others)), expected):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@every_case
def test_finite_values_and_gradients_even_of_an_empty_row(case):
    x, others = case.x, case.others
    if not case.takes_empty_rows:
        x, others = first_rows((x, others), 2)
    layer = scattered(case)
    with tf.GradientTape() as tape:
        if x.dtype.is_floating:
            tape.watch(x)
        result = [t for t in tf.nest.flatten(layer(x, **others)) if t.dtype.is_floating]
        total = tf.add_n([tf.reduce_sum(t) for t in result]) if result else tf.zeros([])
    assert all(np.isfinite(t).all() for t in result)
    variables = [v if isinstance(v, tf.Variable) else v.value for v in layer.trainable_variables]
    sources = [*variables, x] if x.dtype.is_floating else variables
    for gradient in tape.gradient(total, sources):
        assert gradient is not None
        assert np.isfinite(gradient).all()


@every_case
def test_bfloat16_is_near_float32_and_heads_answer_in_float32(case):
    layer = scattered(case)
    expected = outputs(layer(case.x, **case.others))
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    half = case.make()
    x, others = tf.nest.map_structure(
        lambda t: tf.cast(t, tf.bfloat16) if t.dtype.is_floating else t, (case.x, case.others)
    )
    half(x, **others)
    half.set_weights(layer.get_weights())
    assert {w.dtype for w in half.weights} <= {"float32", tf.float32}
    result = half(x, **others)
    for a, b in zip(
        outputs(tf.nest.map_structure(lambda t: tf.cast(t, tf.float32), result)), expected
    ):
        np.testing.assert_allclose(a, b, rtol=0.1, atol=0.06)
    if ".heads." in case.layer.__module__:
        assert result.dtype == tf.float32


@every_case
def test_a_mask_of_keras_is_accepted_and_not_handed_on(case, recwarn):
    layer = case.make()
    layer(case.x, **case.others)
    assert layer.supports_masking
    assert layer.compute_mask(case.x, case.others.get("mask")) is None
    masked = tf.keras.layers.Masking()(tf.ones([2, 3, 4]))
    if not case.others and len(case.x.shape) == 3:
        layer(masked)
    assert not [w for w in recwarn if "mask" in str(w.message)]


@pytest.mark.parametrize("case", [c for c in CASES if "mask" in c.others], ids=str)
def test_numbers_in_the_padding_change_nothing(case):
    mask = case.others["mask"]
    layer = scattered(case)
    noise = tf.cast(tf.where(mask[..., None], 0.0, 7.0), case.x.dtype)
    # An empty row has nothing but its padding.
    before, after = (
        outputs(first_rows(layer(x, **case.others), 2)) for x in (case.x, case.x + noise)
    )
    for a, b in zip(before, after):
        if a.ndim == 3 and a.shape[1] == mask.shape[1] and mask.shape.rank == 2:
            inside = mask.numpy()[:2]
            a, b = a[inside], b[inside]
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
