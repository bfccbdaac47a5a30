"""Models of several dtypes in one process."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.runs import begun, losses_of, run_config
from yt8m.runs.build import dtype_policy
from yt8m.runs.load import load_run
from yt8m.training.trainer import Trainer, train

DTYPES = ("float32", "bfloat16")


def policy():
    return tf.keras.mixed_precision.global_policy().name


def test_the_policy_is_restored_even_after_an_error():
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    with pytest.raises(ZeroDivisionError), dtype_policy("float32"):
        1 / (policy() != "float32")
    assert policy() == "mixed_bfloat16"


@pytest.fixture(scope="module")
def runs(small_data, tmp_path_factory):
    """A folder with a run of each dtype, trained in both orders."""
    folder = tmp_path_factory.mktemp("dtypes")
    for order in (DTYPES, DTYPES[::-1]):
        for dtype in order:
            config = run_config(small_data, "LogisticModel", max_steps=4, dtype=dtype)
            train(config, str(folder / order[0] / dtype))
    return folder


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_run_does_not_depend_on_the_one_before_it(dtype, runs):
    first, second = (losses_of(runs / order / dtype) for order in DTYPES)
    assert first == second
    assert policy() == "float32"


def test_two_models_predict_side_by_side(runs, small_data):
    loaded = {d: load_run(str(runs / "float32" / d), "--train_dir")[1] for d in DTYPES}
    assert policy() == "float32"
    x = {"video": tf.constant(np.random.default_rng(0).normal(size=(64, 40)), tf.float32)}
    found = {dtype: np.asarray(loaded[dtype](x)) for dtype in DTYPES}
    again = {dtype: np.asarray(loaded[dtype](x)) for dtype in reversed(DTYPES)}
    for dtype in DTYPES:
        assert loaded[dtype].compute_dtype == dtype
        np.testing.assert_array_equal(found[dtype], again[dtype])
    assert 0 < np.abs(found["float32"] - found["bfloat16"]).max() < 0.05


def test_two_trainers_take_turns(small_data, tmp_path):
    made = []
    for dtype in DTYPES:
        config = run_config(small_data, "LogisticModel", max_steps=2, dtype=dtype)
        made.append(Trainer(config, begun(config, tmp_path / dtype)))
    for dtype, trainer in zip(DTYPES, made):
        trainer.train()
        assert trainer.step.model.compute_dtype == dtype
