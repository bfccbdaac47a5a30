"""The tasks of a validation: the metrics of the videos of some shards, from records or features.

A task returns what `EvaluationMetrics` keeps, 160 bytes for each video, and no scores of all
classes. Its batches are cut within its own shards, so that nothing depends on the worker.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.evaluation.evaluate import Pairs, evaluate
from yt8m.largescale.executors import Shared, warm
from yt8m.largescale.features.open_store import StoredFeatures
from yt8m.largescale.features.store import FeatureStore
from yt8m.largescale.gradient.frozen_head import FrozenHead
from yt8m.largescale.gradient.shard_gradient import received_worker
from yt8m.largescale.tasks.prefetch import prefetched
from yt8m.largescale.tasks.record_source import RecordSource
from yt8m.largescale.tasks.shard_parts import ShardTask
from yt8m.largescale.tasks.shared_arrays import as_tensor
from yt8m.losses import registry as losses
from yt8m.metrics.evaluation_metrics import EvaluationMetrics


@dataclasses.dataclass(frozen=True)
class MetricsSettings:
    """What is measured.

    Attributes:
      loss: the name of a loss.
      num_classes: K.
      top_k: predictions per video that count for GAP and MAP.
    """

    loss: str
    num_classes: int
    top_k: int

    def of(self, pairs: Pairs) -> EvaluationMetrics:
        """Return the metrics of batches with their predictions."""
        return evaluate(pairs, losses.get(self.loss), self.num_classes, self.top_k)


def record_metrics(task: ShardTask, shared: Shared) -> EvaluationMetrics:
    """Return the metrics of a model on the records of some shards.

    Args:
      task: the shards.
      shared: "metrics" (`MetricsSettings`), "source" (`RecordSource`), and what
        `shard_gradient.received_worker` reads.

    Raises:
      UserError: a record is broken, or a score is NaN.
    """
    settings: MetricsSettings = shared["metrics"].value
    source: RecordSource = shared["source"].value
    worker = received_worker(shared)
    batches = prefetched(source.batches(task.shards, task.rows, []))
    return settings.of((_labels(batch), worker.probabilities(batch)) for batch in batches)


def _labels(batch: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    return {"labels": tf.convert_to_tensor(batch["labels"])}


@dataclasses.dataclass(frozen=True)
class FeatureJob:
    """A head on stored features.

    Attributes:
      features: the feature store.
      head: what the head consists of.
      batch_size: videos that are predicted together.
    """

    features: StoredFeatures
    head: FrozenHead
    batch_size: int

    def worker(self) -> HeadWorker:
        """Return what a process keeps for the tasks."""
        return HeadWorker(self, self.features.open())


class HeadWorker:
    """A feature store with a head's compiled function, which a process keeps between tasks.

    The head's weights are arguments. Those of a head of gigabytes stay where they are: in the
    trainer's variables, or in the memory that the processes of a node share.

    Args:
      job: the head.
      store: the features.
    """

    def __init__(self, job: FeatureJob, store: FeatureStore):
        self._job, self._store = job, store
        self._compiled: Any = None

    def pairs(self, shards: Sequence[int], arrays: Sequence[Any]) -> Pairs:
        """Yield ({"labels"}, probabilities [B, K]) for each batch of some shards.

        Args:
          shards: their numbers.
          arrays: the values of `head_variables`, arrays or tensors.
        """
        head = [array if tf.is_tensor(array) else as_tensor(array) for array in arrays]
        batches = self._store.sequential(self._job.batch_size, shards=shards)
        for features, labels in prefetched(batches):
            yield _labels({"labels": labels}), self._probabilities(tf.constant(features), head)

    def _probabilities(self, features: tf.Tensor, head: list[tf.Tensor]) -> np.ndarray:
        if self._compiled is None:
            specs = [tf.TensorSpec(array.shape, array.dtype) for array in head]
            self._compiled = tf.function(
                lambda v, arrays: self._job.head.probabilities(v, arrays, self._job.batch_size),
                input_signature=[tf.TensorSpec([None, features.shape[1]], features.dtype), specs],
            )
        found: np.ndarray = self._compiled(features, head).numpy()
        return found


def feature_metrics(shards: Sequence[int], shared: Shared) -> EvaluationMetrics:
    """Return the metrics of a head on the stored features of some shards.

    Args:
      shards: their numbers in the store.
      shared: "metrics" (`MetricsSettings`), "job" (`FeatureJob`) and "head" (the values of
        `head_variables`).

    Raises:
      UserError: the features are not in the job's folder, or a score is NaN.
    """
    settings: MetricsSettings = shared["metrics"].value
    job: FeatureJob = shared["job"].value
    job.features.check()
    worker = warm(shared["job"].key, job.worker)
    return settings.of(worker.pairs(shards, shared["head"].value))
