"""Metrics by tasks equal those of one pass, and to the last bit wherever the tasks run."""

import functools
import pickle
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests.support.records import damage
from tests.support.runs import run_on
from yt8m.compat import tf_variable
from yt8m.errors import UserError
from yt8m.largescale.executors.in_process import InProcessExecutor
from yt8m.largescale.features.map import map_features
from yt8m.largescale.features.plan import FeaturePlan
from yt8m.largescale.gradient import frozen_head
from yt8m.largescale.validation.spread import FeatureValidation, SpreadValidation
from yt8m.runs.build import make_model
from yt8m.training.validation import Validation

TASK_BYTES = (1, 1 << 30)  # a task for each shard, and one for all
GROUPS = [  # of all classes: those in none have equal scores, whose order depends on the records'
    {"classes": [5, 1, 2, 8, 4, 6], "num_mixtures": 2},
    {"classes": [0, 3, 7, 9, 11, 10], "num_mixtures": 17},
]


def travelled(value):
    return pickle.loads(pickle.dumps(value))


class Elsewhere(InProcessExecutor):
    """A fake cluster: what tasks read and return travels as bytes, and they run out of order."""

    local = False

    def __init__(self):
        super().__init__()
        self.functions, self.tasks = [], 0

    def broadcast(self, value):
        return super().broadcast(travelled(value))

    def map(self, function, tasks, shared):
        self.functions.append(function.__name__)
        self.tasks += len(tasks)
        found = {}
        for i in reversed(range(len(tasks))):
            self.check()
            found[i] = travelled(function(travelled(tasks[i]), shared))
        yield from sorted(found.items())


def config_of(data, name="VideoDbofBasic", **training):
    arguments = {"width": 8, "num_mixtures": 1, "groups": GROUPS}
    return run_on(data, name, arguments=arguments, trainer="alternating", **training)


def model_of(config):
    """A model whose moving statistics, which are not trained, are away from their start too."""
    tf.keras.utils.set_random_seed(1)
    model, rng = make_model(config), np.random.default_rng(1)
    for variable in map(tf_variable, model.non_trainable_weights):
        variable.assign_add(rng.uniform(0.0, 0.3, variable.shape).astype(np.float32))
    return model


def parts_of(config, task_bytes=1, executor=None):
    validation = Validation(config, tf.distribute.OneDeviceStrategy("/cpu:0"))
    executor = executor or InProcessExecutor()
    return validation, SpreadValidation(executor, validation, config, task_bytes)


def without_time(result):
    return {name: value for name, value in result.items() if name != "seconds"}


def assert_nearly_the_same(here, there):
    """Other batches may change a score's last digit, and with it the order of two pairs."""
    assert here["loss"] == pytest.approx(there["loss"], rel=1e-6)
    assert here == pytest.approx(there, rel=3e-4)


@pytest.mark.parametrize(
    ("name", "training"),
    [
        ("VideoDbofBasic", {}),
        ("VideoDbofBasic", {"eval_batch_size": 7, "validate_examples": 40, "top_k": 3}),
        ("DbofBasic", {"eval_batch_size": 33}),
        ("DbofBasic", {"eval_frames": 4}),
    ],
)
def test_the_metrics_are_those_of_one_pass_on_any_executor(name, training, small_data):
    config = config_of(small_data, name, **training)
    model = model_of(config)
    validation, _ = parts_of(config)
    whole = validation(validation.predictor(model))
    for task_bytes in TASK_BYTES:
        here = without_time(parts_of(config, task_bytes)[1].of_model(model))
        assert_nearly_the_same(here, without_time(whole))
        cluster = Elsewhere()
        spread = parts_of(config, task_bytes, cluster)[1]
        assert without_time(spread.of_model(model)) == here  # to the last bit
        assert set(cluster.functions) == {"record_metrics"}
        assert cluster.tasks == (len(validation.files) if task_bytes == 1 else 1)


def test_tasks_see_new_weights_and_a_head_is_sent_once(small_data):
    config = config_of(small_data)
    model, cluster = model_of(config), Elsewhere()
    spread = parts_of(config, executor=cluster)[1]
    shared = spread.shared(model)
    sent, broadcast = [], cluster.broadcast
    cluster.broadcast = lambda value: sent.append(value) or broadcast(value)
    before = without_time(spread.on_records(shared))
    for variable in shared.variables:
        variable.assign(-tf_variable(variable))
    shared.changed()
    after = without_time(spread.on_records(shared))
    assert after != before
    assert after == without_time(parts_of(config)[1].of_model(model))
    weights = [value for value in sent if isinstance(value, list)]
    assert [len(values) for values in weights] == [len(shared.variables)] * 2
    spread.on_records(shared)  # nothing has changed
    assert len([value for value in sent if isinstance(value, list)]) == 2
    shared.close()


@pytest.fixture(scope="module")
def stored(small_data, tmp_path_factory):
    """A run, its model and the features of its validation set."""
    config = config_of(small_data, eval_batch_size=16)
    model = model_of(config)
    validation, _ = parts_of(config)
    plan = FeaturePlan(str(tmp_path_factory.mktemp("f")), validation.files, validation.schema)
    store = map_features(InProcessExecutor(), model, plan, say=lambda _: None)
    return config, model, store


@pytest.mark.parametrize("task_bytes", TASK_BYTES)
def test_a_head_on_features_has_the_metrics_of_the_model_on_records(
    task_bytes, stored, monkeypatch
):
    config, model, store = stored
    monkeypatch.setattr(frozen_head, "BLOCK_WEIGHTS", 100)  # a class or two of a group
    expected = without_time(parts_of(config)[1].of_model(model))
    results = []
    for executor in (InProcessExecutor(), Elsewhere()):
        spread = parts_of(config, task_bytes, executor)[1]
        validate = FeatureValidation(spread, store, model.head)
        results.append(without_time(validate()))
        for variable in model.head.weights:
            tf_variable(variable).assign(-tf_variable(variable))
        results.append(without_time(validate()))  # the weights of now
        for variable in model.head.weights:
            tf_variable(variable).assign(-tf_variable(variable))
        validate.close()
    assert_nearly_the_same(results[0], expected)
    assert results[1] != results[0]
    assert results[2:] == results[:2]


@pytest.mark.parametrize("executor", [InProcessExecutor, Elsewhere])
def test_a_broken_record_ends_a_validation_whatever_training_may_skip(
    executor, small_data, tmp_path
):
    path = tmp_path / "validate.tfrecord"
    source = Validation(config_of(small_data), tf.distribute.OneDeviceStrategy("/cpu:0")).files[0]
    shutil.copy(source, path)
    config = config_of(small_data, eval_data_pattern=str(path), max_bad_records=5)
    spread = parts_of(config, executor=executor())[1]
    model = model_of(config)
    assert spread.of_model(model)["num_examples"] > 0
    damage(path, 1, "payload")
    with pytest.raises(UserError, match=r"validate.tfrecord .*--max_bad_records=0 allows no more"):
        spread.of_model(model)


@pytest.mark.parametrize("executor", [InProcessExecutor, Elsewhere])
def test_scores_that_are_no_numbers_are_refused(executor, stored):
    config, _, store = stored
    broken = make_model(config)
    for variable in broken.weights:
        tf_variable(variable).assign(np.full(variable.shape, np.nan, np.float32))
    spread = parts_of(config, executor=executor())[1]
    for validate in (
        functools.partial(spread.of_model, broken),
        FeatureValidation(spread, store, broken.head),
    ):
        with pytest.raises(UserError, match=r"the scores of \d+ of \d+ rows are NaN"):
            validate()


def test_the_end_of_a_session_ends_a_validation_between_two_tasks(small_data):
    config, executor, checked = config_of(small_data), InProcessExecutor(), []

    def ends():
        checked.append(1)
        if len(checked) == 2:
            raise KeyError("out of time")

    executor.check = ends
    with pytest.raises(KeyError, match="out of time"):
        parts_of(config, executor=executor)[1].of_model(model_of(config))
