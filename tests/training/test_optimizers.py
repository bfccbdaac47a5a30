"""Schedules count examples; every optimizer trains; an unknown one is named with near misses."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m.errors import UserError
from yt8m.models.core.recipe import Recipe
from yt8m.training.optimizers import (
    apply_reduced,
    available,
    make_optimizer,
    prepare,
)
from yt8m.training.schedule.examples_schedule import ExamplesSchedule


def test_exponential_schedule_is_the_starters_staircase():
    schedule = ExamplesSchedule(0.01, "exponential", 1024, 0, decay=0.95, decay_examples=4_000_000)
    for step, power in ((0, 0), (3906, 0), (3907, 1), (7813, 2)):
        np.testing.assert_allclose(schedule(step), 0.01 * 0.95**power, rtol=1e-5)


def test_the_continuous_one_meets_the_staircase_at_each_step_of_it():
    schedule = ExamplesSchedule(
        0.01, "exponential_continuous", 1000, 0, decay=0.9, decay_examples=4_000_000
    )
    np.testing.assert_allclose(
        [schedule(s) for s in (0, 2000, 4000, 8000)],
        [0.01, 0.01 * 0.9**0.5, 0.009, 0.0081],
        rtol=1e-5,
    )


def test_cosine_schedule_does_not_depend_on_the_batch_size():
    small, large = (ExamplesSchedule(0.02, "cosine", b, 1000) for b in (10, 50))
    np.testing.assert_allclose(small(50), large(10), rtol=1e-6)
    np.testing.assert_allclose(small(50), 0.01, rtol=1e-5)
    np.testing.assert_allclose([small(100), small(1000)], 0.0, atol=1e-9)


def test_warmup_rises_linearly_from_the_first_step():
    schedule = ExamplesSchedule(1.0, "constant", 10, 0, warmup_examples=100)
    np.testing.assert_allclose(
        [schedule(s) for s in (0, 4, 9, 50)], [0.1, 0.5, 1.0, 1.0], rtol=1e-6
    )


def test_schedule_round_trips_its_config():
    schedule = ExamplesSchedule(0.02, "cosine", 10, 1000, warmup_examples=50)
    again = ExamplesSchedule.from_config(schedule.get_config())
    np.testing.assert_allclose(again(7), schedule(7))


@pytest.mark.parametrize("name", available())
def test_every_optimizer_descends(name):
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        v = tf.Variable([3.0, -2.0])
        optimizer = make_optimizer(
            Recipe(optimizer=name, base_learning_rate=0.05, schedule="constant", batch_size=1), 100
        )
        prepare(optimizer, [v])

    @tf.function
    def step():
        apply_reduced(optimizer, [2.0 * v], [v], 1)

    for _ in range(20):
        step()
    assert float(tf.reduce_sum(v**2)) < 13.0 - 1e-4  # Adadelta's first steps are that small


@pytest.mark.parametrize(
    "name", ["Adam", "Adagrad", "Adadelta", "Ftrl", "GradientDescent", "Momentum", "RMSProp"]
)
def test_starter_names_work(name):
    for spelt in (f"{name}Optimizer", name.lower()):
        optimizer = make_optimizer(Recipe(optimizer=spelt), 100)
        assert (getattr(optimizer, "momentum", 0.0) == 0.9) == (name == "Momentum")


def test_adams_epsilon_is_tensorflow_1s():
    assert make_optimizer(Recipe(), 100).epsilon == pytest.approx(1e-8)


def test_unknown_optimizer_names_near_misses():
    with pytest.raises(UserError, match="Adam") as error:
        make_optimizer(Recipe(optimizer="Adma"), 100)
    assert "--optimizer=Adma" in str(error.value)


def test_lamb_is_offered_on_both_lanes():
    assert "LAMB" in available()
