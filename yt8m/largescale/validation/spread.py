"""The validations of an alternation, each mapped over the shards of the validation set.

The parts and their order depend only on the records, and parts that are merged in order give what
one pass gives, so a metric is the same, bit for bit, in one process and on any number of workers
with equally many threads.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.compat import tf_variable
from yt8m.largescale.executors import Executor, forget, warm
from yt8m.largescale.executors.base import TaskFunction
from yt8m.largescale.features.open_store import StoredFeatures
from yt8m.largescale.features.store import FeatureStore
from yt8m.largescale.gradient.frozen_head import FrozenHead, head_variables
from yt8m.largescale.gradient.shard_gradient import GradientSettings
from yt8m.largescale.gradient.shared_model import SharedModel
from yt8m.largescale.tasks.record_source import RecordSource
from yt8m.largescale.tasks.shard_parts import pack_shards
from yt8m.largescale.validation.part_metrics import (
    FeatureJob,
    HeadWorker,
    MetricsSettings,
    feature_metrics,
    record_metrics,
)
from yt8m.metrics.evaluation_metrics import EvaluationMetrics, merged
from yt8m.models.core.base import Yt8mModel
from yt8m.runs.config import RunConfig
from yt8m.training.validation import Validation


class SpreadValidation:
    """A run's validation set, which an executor's tasks evaluate.

    Args:
      executor: runs the tasks.
      records: the validation set.
      config: the run's settings.
      task_bytes: see `pack_shards`.

    Attributes:
      tasks: the shards that each task reads.
      loss: the name of the loss.
    """

    def __init__(
        self, executor: Executor, records: Validation, config: RunConfig, task_bytes: int = 0
    ):
        self.executor, self.records, self.loss = executor, records, config.recipe.label_loss
        self.tasks = pack_shards(records.files, task_bytes)
        classes, top_k = config.schema.num_classes, config.training.top_k
        self._metrics = MetricsSettings(self.loss, classes, top_k)

    def shared(self, model: Yt8mModel) -> SharedModel:
        """Return a model for `on_records` with which no tasks compute gradients."""
        source = RecordSource(self.records.schema, self.records.batch_size)
        settings = GradientSettings.of(model, ("head",), self.loss, source)
        return SharedModel(self.executor, model, settings)

    def of_model(self, model: Yt8mModel) -> dict[str, Any]:
        """Return the metrics of a model as it is now; see `on_records`."""
        shared = self.shared(model)
        try:
            return self.on_records(shared)
        finally:
            shared.close()

    def on_records(self, shared: SharedModel) -> dict[str, Any]:
        """Return the metrics of a model on the records, with the `seconds` they took.

        Batches are no larger than those of the gradients, whose memory the tasks ask for.

        Raises:
          UserError: there is no record or a broken one, or a score is NaN.
        """
        records = self.records
        rows = min(records.batch_size, shared.settings.source.batch_size)
        source = RecordSource(records.schema, rows, sampling=records.sampling)

        def compute() -> EvaluationMetrics:
            handles = {**shared.handles(), "source": self.executor.broadcast(source)}
            return self.reduced(record_metrics, self.tasks, handles)

        return records.measure(compute)

    def reduced(
        self, function: TaskFunction, tasks: Sequence[Any], handles: Mapping[str, Any]
    ) -> EvaluationMetrics:
        """Return the metrics of all tasks, merged in their order."""
        handles = {**handles, "metrics": self.executor.broadcast(self._metrics)}
        total: EvaluationMetrics = self.executor.map_reduce(function, tasks, handles, merged)
        return total


class FeatureValidation:
    """The validation of a head on the stored features of the records' shards.

    Args:
      validation: the records.
      store: their features, those of each shard under the same number.
      head: a built mixture, which changes between validations.
    """

    def __init__(self, validation: SpreadValidation, store: FeatureStore, head: Any):
        self._validation, self._head, self._executor = validation, head, validation.executor
        described = FrozenHead.of(head, validation.loss)
        assert described is not None, "step 2 trains mixtures by a loss that is a sum over classes"
        job = FeatureJob(StoredFeatures.of(store), described, validation.records.batch_size)
        ends = list(itertools.accumulate(len(task.shards) for task in validation.tasks))
        self._tasks = [tuple(range(*both)) for both in zip([0, *ends], ends)]
        self._job, self._worker = self._executor.broadcast(job), HeadWorker(job, store)

    def __call__(self) -> dict[str, Any]:
        """Return the metrics of the head as it is now, with the `seconds` they took."""

        def compute() -> EvaluationMetrics:
            values = [tf.convert_to_tensor(tf_variable(v)) for v in head_variables(self._head)]
            if self._executor.local:
                warm(self._job.key, lambda: self._worker)
            else:
                values = [np.array(value) for value in values]
            handles = {"job": self._job, "head": self._executor.broadcast(values)}
            return self._validation.reduced(feature_metrics, self._tasks, handles)

        return self._validation.records.measure(compute)

    def close(self) -> None:
        """Release what this process keeps for the tasks."""
        forget(self._job.key)
