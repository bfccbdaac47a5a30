"""A step is the same on one device and on two: the sum over replicas comes before the clipping."""

import time

import numpy as np
import pytest
import tensorflow as tf

from yt8m.layers.heads import mixture_loss
from yt8m.losses.registry import get
from yt8m.models.core.recipe import Recipe
from yt8m.models.video.moe import MoeModel
from yt8m.training.optimizers import make_optimizer, prepare
from yt8m.training.step import TrainStep, clip
from yt8m.training.weight_average import WeightAverage, tf_variable

K, SIZES, B = 7, (6, 2), 8


def batches(n=5, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n * B, sum(SIZES))).astype(np.float32)
    y = (rng.random((n * B, K)) < 0.3).astype(np.uint8)
    return tf.data.Dataset.from_tensor_slices({"video": x, "labels": y})


def make_step(strategy, recipe, loss=None):
    """A step of a small model, which with its optimizer and average is an attribute of it."""
    with strategy.scope():
        model = MoeModel(K, SIZES).build_weights()
        average = WeightAverage(model.trainable_variables, recipe.weight_average)
        optimizer = make_optimizer(recipe, 1000)
        prepare(optimizer, model.trainable_variables)
        return TrainStep(
            strategy, model, loss or get(recipe.label_loss), optimizer, average, recipe
        )


def run(strategy, recipe, steps_per_call=1, steps=5):
    tf.keras.utils.set_random_seed(1)
    replicas = strategy.num_replicas_in_sync
    step = make_step(strategy, recipe)
    model, average = step.model, step.average
    weights = [w.shape for w in model.get_weights()]
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(scale=0.3, size=s).astype(np.float32) for s in weights])
    average.reset()
    data = strategy.distribute_datasets_from_function(
        lambda _: batches().batch(B // replicas, drop_remainder=True)
    )
    iterator = iter(data)
    for _ in range(steps // steps_per_call):
        step(iterator, tf.constant(steps_per_call))
    return model.get_weights(), [s.numpy() for s in average.shadows], step.read_sums(), step.done()


RECIPES = {
    "sgd, each clipped": Recipe(
        optimizer="SGD", base_learning_rate=0.5, batch_size=B, clip_gradient_norm=0.05
    ),
    "sgd, all clipped": Recipe(
        optimizer="SGD",
        base_learning_rate=0.5,
        batch_size=B,
        clip_gradient_norm=0.0,
        global_clip_norm=0.1,
    ),
    "adam, averaged": Recipe(base_learning_rate=0.02, batch_size=B, weight_average=0.9),
}


@pytest.mark.parametrize("name", RECIPES)
def test_two_replicas_equal_one(name, mirrored):
    one = run(tf.distribute.OneDeviceStrategy("/cpu:0"), RECIPES[name])
    two = run(mirrored, RECIPES[name])
    for a, b in zip(one[0] + one[1], two[0] + two[1]):
        np.testing.assert_allclose(a, b, atol=2e-5)
    assert one[2]["loss"] == pytest.approx(two[2]["loss"], rel=1e-5)
    assert one[2]["regularization"] == pytest.approx(two[2]["regularization"], rel=1e-5)
    assert one[3] == two[3] == 5


def test_many_steps_a_call_equal_single_ones():
    recipe = RECIPES["adam, averaged"]
    single = run(tf.distribute.OneDeviceStrategy("/cpu:0"), recipe)
    grouped = run(tf.distribute.OneDeviceStrategy("/cpu:0"), recipe, steps_per_call=5)
    for a, b in zip(single[0], grouped[0]):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_data_that_end_within_a_call_leave_the_steps_done():
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    step = make_step(strategy, RECIPES["adam, averaged"])
    iterator = iter(
        strategy.distribute_datasets_from_function(
            lambda _: batches(3).batch(B, drop_remainder=True)
        )
    )
    with pytest.raises(tf.errors.OutOfRangeError):
        step(iterator, tf.constant(5))
    assert step.done() == 3
    assert step.read_sums()["steps"] == 3


@pytest.mark.parametrize("replicas", [1, 2])
def test_no_counter_moves_on_where_the_data_end(replicas, mirrored):
    """Two replicas have data for three steps and a half: neither may do the fourth."""

    def late_end():
        time.sleep(0.5)  # time enough for whatever waits for no data
        yield from ()

    strategy = mirrored if replicas == 2 else tf.distribute.OneDeviceStrategy("/cpu:0")
    step = make_step(strategy, RECIPES["adam, averaged"])
    data = batches(4).take(3 * B + (B // 2 if replicas == 2 else 0))
    data = data.concatenate(
        tf.data.Dataset.from_generator(late_end, output_signature=data.element_spec)
    )
    per_replica = data.batch(B // replicas, drop_remainder=True)
    iterator = iter(strategy.distribute_datasets_from_function(lambda _: per_replica))
    with pytest.raises(tf.errors.OutOfRangeError):
        step(iterator, tf.constant(5))
    assert [
        int(c) for c in strategy.experimental_local_results(tf_variable(step.optimizer.iterations))
    ] == [3] * replicas
    assert step.done() == 3


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_step_as_one_program_of_a_tpu_is_the_same(replicas, mirrored, monkeypatch):
    strategy = mirrored if replicas == 2 else tf.distribute.OneDeviceStrategy("/cpu:0")
    expected = run(strategy, RECIPES["adam, averaged"], steps_per_call=5)
    monkeypatch.setattr(tf.distribute, "TPUStrategy", type(strategy))
    found = run(strategy, RECIPES["adam, averaged"], steps_per_call=5)
    for a, b in zip(expected[0] + expected[1], found[0] + found[1]):
        np.testing.assert_array_equal(a, b)
    assert expected[2:] == found[2:]


@pytest.mark.parametrize("tpu", [False, True])
def test_on_a_tpu_nothing_in_a_step_waits_for_the_data_of_others(tpu, mirrored, monkeypatch):
    """There a control edge from outside becomes an input: the frames of every replica."""
    if tpu:
        monkeypatch.setattr(tf.distribute, "TPUStrategy", type(mirrored))
    step = make_step(mirrored, RECIPES["adam, averaged"])
    iterator = iter(
        mirrored.distribute_datasets_from_function(
            lambda _: batches().batch(B // 2, drop_remainder=True)
        )
    )
    graph = step.compiled.get_concrete_function(iterator, tf.constant(1)).graph
    waiting = [
        op.name
        for op in graph.get_operations()
        if op.inputs and any(c.type == "IteratorGetNext" for c in op.control_inputs)
    ]
    assert bool(waiting) != tpu, waiting


def test_clip_against_numpy():
    gradients = [tf.constant([3.0, 4.0]), tf.constant([0.3, 0.4])]
    each, norm = clip(gradients, 1.0, 0.0)
    np.testing.assert_allclose(each[0], [0.6, 0.8], rtol=1e-6)
    np.testing.assert_allclose(each[1], [0.3, 0.4], rtol=1e-6)
    assert float(norm) == pytest.approx(np.sqrt(25.25))
    overall, _ = clip(gradients, 0.0, 1.0)
    np.testing.assert_allclose(tf.linalg.global_norm(overall), 1.0, rtol=1e-6)
    both, norm = clip(gradients, 1.0, 0.5)
    np.testing.assert_allclose(both[0], np.array([0.6, 0.8]) * 0.5 / np.sqrt(1.25), rtol=1e-6)
    np.testing.assert_allclose(both[1], np.array([0.3, 0.4]) * 0.5 / np.sqrt(1.25), rtol=1e-6)
    assert float(norm) == pytest.approx(np.sqrt(25.25))
    for limits in ((0.0, 0.0), (5.5, 0.0), (0.0, 5.5), (5.5, 5.5)):
        untouched, _ = clip(gradients, *limits)
        np.testing.assert_array_equal(untouched[0], gradients[0])


def test_a_gradient_that_is_not_finite_is_counted():
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    step = make_step(
        strategy,
        RECIPES["adam, averaged"],
        loss=lambda y, p, w: tf.reduce_sum(p, -1) * float("inf"),
    )
    step(
        iter(strategy.distribute_datasets_from_function(lambda _: batches(1).batch(B))),
        tf.constant(1),
    )
    assert step.read_sums()["broken"] == 1


@pytest.mark.parametrize("replicas", [1, 2])
def test_on_a_cpu_the_loss_of_a_large_batch_is_one_pass_over_the_logits(
    replicas, mirrored, monkeypatch
):
    strategy = mirrored if replicas == 2 else tf.distribute.OneDeviceStrategy("/cpu:0")
    recipe = RECIPES["sgd, each clipped"]
    expected = run(strategy, recipe)
    monkeypatch.setattr(mixture_loss, "LARGE", 0)
    found = run(strategy, recipe)
    for a, b in zip(expected[0], found[0]):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert found[2]["loss"] == pytest.approx(expected[2]["loss"], rel=1e-5)
    step = make_step(strategy, recipe)
    data = strategy.distribute_datasets_from_function(
        lambda _: batches().batch(B // replicas, drop_remainder=True)
    )
    for on_cpu in (True, False):
        step.on_cpu = on_cpu
        function = tf.function(lambda iterator: step.on_batch(next(iterator)))
        graph = function.get_concrete_function(iter(data)).graph
        compiled = [
            f for f in graph.as_graph_def().library.function if "at_logits" in f.signature.name
        ]
        assert bool(compiled) == on_cpu
