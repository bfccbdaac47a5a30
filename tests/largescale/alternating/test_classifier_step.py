"""Step 2 on the features of an untrained aggregator: what it sends to workers and refuses."""

import dataclasses
import os

import pytest
import tensorflow as tf

from tests.support.runs import run_on
from yt8m.data.files.shards import find_shards
from yt8m.errors import UserError
from yt8m.largescale.alternating import classifier_step
from yt8m.largescale.alternating.context import Context
from yt8m.largescale.alternating.log import Log
from yt8m.largescale.alternating.plan import Step
from yt8m.largescale.alternating.step_model import save_model
from yt8m.largescale.executors.base import Broadcast, TreeReduction
from yt8m.largescale.executors.in_process import InProcessExecutor
from yt8m.largescale.features import map as feature_map
from yt8m.largescale.features.open_store import StoredFeatures
from yt8m.largescale.features.plan import FeaturePlan
from yt8m.largescale.mixtures import partition_map
from yt8m.largescale.mixtures.reduce_partitions import newest
from yt8m.runs.build import make_model
from yt8m.runs.config import CONFIG_FILE
from yt8m.runs.folder import RunFolder
from yt8m.runs.settings.alternation import AlternationConfig
from yt8m.runs.stop_signal import StopSignal
from yt8m.stored import read_object
from yt8m.training.validation import Validation

STEP = Step(2, 1)


class Elsewhere:
    """A fake cluster, whose tasks run in another working directory than the trainer's."""

    local = False

    def __init__(self, folder):
        self._folder, self._inner = folder, InProcessExecutor()
        self.broadcast, self.check = self._inner.broadcast, self._inner.check
        self.workers, self.worker_memory = lambda: 3, lambda: 2 << 30

    def map(self, fn, tasks, shared):
        here = os.getcwd()
        for i, task in enumerate(tasks):
            os.chdir(self._folder)
            try:
                _, value = next(self._inner.map(fn, [task], shared))
            finally:
                os.chdir(here)
            yield i, value

    def map_reduce(self, fn, tasks, shared, combine):
        tree = TreeReduction(combine)
        for _, value in self.map(fn, tasks, shared):
            tree.add(value)
        return tree.result()

    def close(self):
        pass


def config_of(data, settings=(), training=(), label_loss="CrossEntropyLoss"):
    options = {
        "max_experts": 2,
        "num_partitions": 2,
        "step2_batch_size": 100,
        "step2_max_epochs": 1,
        **dict(settings),
    }
    return run_on(
        data,
        "VideoDbofBasic",
        recipe={"label_loss": label_loss},
        arguments={"width": 8, "num_mixtures": 1},
        alternation=AlternationConfig(**options),
        trainer="alternating",
        **dict(training),
    )


def context_of(config, folder, executor=None):
    """A run that has come to step 2: its folder holds the model `source`."""
    run = RunFolder(str(folder))
    run.write_text(CONFIG_FILE, config.to_json())
    tf.keras.utils.set_random_seed(1)
    save_model(run, "source", make_model(config), {}, {"gap": 0.0})
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    files = find_shards(config.training.train_data_pattern)
    return Context(
        config,
        run,
        strategy,
        executor or InProcessExecutor(),
        Validation(config, strategy),
        Log(run),
        StopSignal(),
        files,
    )


class Sent(Exception):
    """Carries what was to be sent to workers."""


class Sends(InProcessExecutor):
    def broadcast(self, value):
        raise Sent(value)


def test_the_regularization_penalty_holds_for_step_2(small_data, tmp_path):
    context = context_of(
        config_of(small_data, training={"regularization_penalty": 3.0}), tmp_path, Sends()
    )
    with pytest.raises(Sent) as sent:
        classifier_step.run(context, STEP, "source")
    assert sent.value.args[0].settings.l2 == pytest.approx(3e-8)


class Unshared(Elsewhere):
    """A fake cluster, one of whose nodes writes files that the trainer does not see."""

    def __init__(self, folder, lost):
        super().__init__(folder)
        self._lost = lost

    def map(self, fn, tasks, shared):
        if fn is not self._lost:
            return super().map(fn, tasks, shared)
        return ((i, 0) for i in range(len(tasks)))


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (feature_map.shard_features, "features of 3 shards"),
        (partition_map.train_partition_until, "2 partitions"),
    ],
)
def test_a_folder_that_nodes_do_not_share_is_named_as_such(lost, said, small_data, tmp_path):
    context = context_of(config_of(small_data), tmp_path, Unshared(str(tmp_path), lost))
    with pytest.raises(
        UserError, match=f"{said}.*--train_dir.* must lie on a folder that all nodes share"
    ):
        classifier_step.run(context, STEP, "source")


def test_a_worker_reports_what_it_does_not_see(tmp_path):
    path = str(tmp_path / "x")
    plan = FeaturePlan(str(tmp_path), [path], None)
    part = partition_map.PartitionJob(StoredFeatures(str(tmp_path)), None, None)
    for fn, task, job in (
        (feature_map.shard_features, (0, "x"), plan),
        (
            partition_map.train_partition_until,
            partition_map.PartitionTask((0,), (1,), str(tmp_path / "p"), 1),
            part,
        ),
    ):
        with pytest.raises(UserError, match=r"plan.json is not there.*all nodes share"):
            fn(task, {"job": Broadcast("k", job), "plan": Broadcast("k", job)})
    with pytest.raises(UserError, match=r"p, are not there.*all nodes share"):
        newest(str(tmp_path / "p"))
    with pytest.raises(UserError, match=r"records .*x are not there"):
        plan.compute_shard(0, path, None, None)


def test_what_step_2_cannot_do_is_refused_before_step_1(small_data):
    good = config_of(small_data)
    classifier_step.check(good)
    classifier_step.check(good, 600)
    coupled = config_of(small_data, label_loss="SoftmaxLoss")
    for config, more, said in (
        (coupled, (), "--label_loss=SoftmaxLoss is not a sum over classes"),
        (good, (0,), "--train_data_pattern"),
    ):
        with pytest.raises(UserError, match=said):
            classifier_step.check(config, *more)
    without = dataclasses.replace(
        coupled, alternation=dataclasses.replace(coupled.alternation, alternation="rprop")
    )
    classifier_step.check(without)  # it has no step 2


class ThreeWorkers(InProcessExecutor):
    """A fake cluster."""

    local = False

    def workers(self):
        return 3


def test_the_number_of_partitions_follows_the_workers_and_stays(small_data, tmp_path, capsys):
    """It is chosen in the first step 2, with three workers, and kept by one process in another."""
    config = config_of(small_data, {"num_partitions": 0})
    for executor, step in ((ThreeWorkers(), STEP), (InProcessExecutor(), Step(2, 2))):
        context = context_of(config, tmp_path / "run", executor)
        classifier_step.run(context, step, "source")
        said = capsys.readouterr().out
        assert "step 2 has 3 partitions of the classes for" in said
        assert "classes in 3 partitions" in said
        assert executor.task_memory == 0  # the tasks of step 3 ask for another
    kept = read_object(context.run.file("alternation/step2_partitions.json"), "")
    assert kept["num_partitions"] == 3
