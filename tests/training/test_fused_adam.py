"""The update in one pass has Keras' numbers and state, on any number of replicas and under XLA."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.compat import tf_variable
from yt8m.models.core.recipe import Recipe
from yt8m.training.fused_adam import Adam, AdamW
from yt8m.training.optimizers import apply_reduced, make_optimizer, prepare
from yt8m.training.schedule.examples_schedule import ExamplesSchedule

SHAPES = ((6, 5), (5,))
KERAS = {"Adam": tf.keras.optimizers.Adam, "AdamW": tf.keras.optimizers.AdamW}
FUSED = {"Adam": Adam, "AdamW": AdamW}


def gradients(step):
    """Gradients of a step; a third of them are so small that ε counts."""
    rng = np.random.default_rng(step)
    sizes = [10.0 ** -(9 * rng.integers(0, 2, s)) * (rng.random(s) < 0.9) for s in SHAPES]
    return [(rng.normal(size=s.shape) * s).astype(np.float32) for s in sizes]


class Run:
    """Two variables and an optimizer of a schedule whose rate changes at each step."""

    def __init__(self, cls, strategy, **compiler):
        self.strategy = strategy
        rng = np.random.default_rng(0)
        with strategy.scope():
            self.variables = [tf.Variable(rng.normal(size=s).astype(np.float32)) for s in SHAPES]
            rate = ExamplesSchedule(0.02, "cosine", 1, 20, warmup_examples=3)
            decay = {"weight_decay": 0.03} if "AdamW" in cls.__name__ else {}
            self.optimizer = cls(rate, epsilon=1e-8, **decay)
            prepare(self.optimizer, self.variables)
        self.update = tf.function(self._update, **compiler)
        self.saved = tf.train.Checkpoint(optimizer=self.optimizer, variables=self.variables)

    def _update(self, *each):
        replicas = self.strategy.num_replicas_in_sync
        self.strategy.run(
            lambda *g: apply_reduced(self.optimizer, list(g), self.variables, replicas), each
        )

    def go(self, steps):
        """Take the steps, and return the variables and the optimizer's state, iterations first."""
        for step in steps:
            self.update(*map(tf.constant, gradients(step)))
        state = [tf_variable(v).numpy() for v in self.optimizer.variables]
        return [*state, *(v.numpy() for v in self.variables)]


def assert_same(found, expected):
    """Compare the weights to 1e-6, and the moments as closely as the operation knows 1 − β₂.

    It takes β₂ as a float32, which is 1.3e-5 away from 0.001 after the subtraction.
    """
    assert len(found) == len(expected)
    state = len(found) - len(SHAPES)
    for i, (a, b) in enumerate(zip(found, expected)):
        rtol, atol = (1e-6, 1e-6) if i >= state else (2e-5, 1e-7)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def one():
    return tf.distribute.OneDeviceStrategy("/cpu:0")


@pytest.mark.parametrize("name", KERAS)
@pytest.mark.parametrize("compiler", [{}, {"jit_compile": True}], ids=["plain", "XLA"])
def test_equals_keras(name, compiler):
    expected = Run(KERAS[name], one()).go(range(8))
    assert_same(Run(FUSED[name], one(), **compiler).go(range(8)), expected)


@pytest.mark.parametrize("name", KERAS)
def test_equals_keras_on_two_replicas(name, mirrored):
    run = Run(FUSED[name], mirrored)
    assert_same(run.go(range(4)), Run(KERAS[name], one()).go(range(4)))
    for variable in run.variables:
        first, second = mirrored.experimental_local_results(variable)
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", KERAS)
@pytest.mark.parametrize(("before", "after"), [(KERAS, FUSED), (FUSED, KERAS)], ids=["to", "from"])
def test_resumes_checkpoints_to_and_from_keras(name, before, after, tmp_path):
    started = Run(before[name], one())
    started.go(range(4))
    path = started.saved.save(str(tmp_path / "state"))
    resumed = Run(after[name], one())
    status = resumed.saved.restore(path)
    status.assert_existing_objects_matched()
    status.assert_consumed()
    assert_same(resumed.go(range(4, 8)), started.go(range(4, 8)))


@pytest.mark.parametrize("name", KERAS)
def test_an_update_is_one_operation_for_each_variable(name):
    optimizer = make_optimizer(Recipe(optimizer=name), 100)
    assert isinstance(optimizer, FUSED[name])
    plain = optimizer.name.lower().replace("_", "")  # variables are named after it
    assert plain.startswith(name.lower())
    run = Run(FUSED[name], one())
    graph = run.update.get_concrete_function(*map(tf.constant, gradients(0))).graph
    kinds = [op.type for op in graph.get_operations()]
    assert kinds.count("ResourceApplyAdam") == len(SHAPES)
    assert "Square" not in kinds
