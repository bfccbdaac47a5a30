"""The task of step 3: loss and gradient, summed over the examples of some shards."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.compat import tf_variable
from yt8m.largescale.executors import Shared, warm
from yt8m.largescale.gradient.gradient_sum import GradientSum
from yt8m.largescale.tasks.prefetch import prefetched
from yt8m.largescale.tasks.record_source import Batch, RecordSource
from yt8m.largescale.tasks.shard_parts import ShardTask
from yt8m.largescale.tasks.shipped_model import ShippedModel
from yt8m.losses import registry as losses
from yt8m.models.core.base import Yt8mModel
from yt8m.training.step import dense_gradients


@dataclasses.dataclass(frozen=True)
class GradientSettings:
    """What to differentiate, and on which data.

    Attributes:
      frozen: attributes of the model whose variables get no gradient.
      loss: the name of a loss.
      source: how the shards are read.
    """

    frozen: tuple[str, ...]
    loss: str
    source: RecordSource


def chosen_variables(model: Yt8mModel, frozen: Sequence[str]) -> list[Any]:
    """Return the trainable variables outside the attributes in `frozen`, in the model's order."""
    excluded = {id(v) for name in frozen for v in getattr(model, name).variables}
    return [v for v in model.trainable_variables if id(v) not in excluded]


class GradientWorker:
    """A model that a process keeps between tasks, with the keys of the weights it last received.

    Args:
      settings: what is differentiated.
      model: a built model.
    """

    def __init__(self, settings: GradientSettings, model: Yt8mModel):
        self.model, self._loss = model, losses.get(settings.loss)
        chosen = chosen_variables(model, settings.frozen)
        ids = {id(v) for v in chosen}
        fixed = [v for v in model.weights if id(v) not in ids]
        self.variables = {"weights": chosen, "fixed": fixed}
        self._received = {"weights": "", "fixed": ""}
        self._compute: Any = None

    def receive(self, shared: Shared) -> None:
        """Assign the broadcast weights, unless the model already has this version."""
        for name, variables in self.variables.items():
            if self._received[name] == shared[name].key:
                continue
            for variable, value in zip(variables, shared[name].value):
                variable.assign(value)
            self._received[name] = shared[name].key

    def sum(self, batches: Iterable[Batch], broken: list[str]) -> GradientSum:
        """Return the sums over all batches.

        Args:
          batches: the examples.
          broken: one line for each broken record, complete when the batches have been read.
        """
        loss, count = 0.0, 0
        total: list[np.ndarray] | None = None
        for batch in batches:
            each, gradients = self._gradient(batch)
            # NumPy adds in one order; the order of TensorFlow's sums depends on the threads.
            loss += float(each.numpy().sum(dtype=np.float64))
            count += int(each.shape[0])
            parts = [g.numpy() for g in gradients]
            if total is None:
                total = parts
                continue
            if total[0].dtype != np.float64:
                total = [t.astype(np.float64) for t in total]
            for mine, part in zip(total, parts):
                np.add(mine, part, out=mine)
        if total is None:
            total = [np.zeros(v.shape, np.float32) for v in self.variables["weights"]]
        return GradientSum(loss, count, len(broken), [np.asarray(t, np.float32) for t in total])

    def _gradient(self, batch: Batch) -> Any:
        """Return the losses [B] and the gradients of their sum."""
        names = (*self.model.input_keys, "labels", "weights")
        tensors = {k: tf.convert_to_tensor(batch[k]) for k in names if k in batch}
        if self._compute is None:
            # One program for all batch sizes: the digits must not depend on which came first.
            specs = {k: tf.TensorSpec([None, *v.shape[1:]], v.dtype) for k, v in tensors.items()}
            self._compute = tf.function(self.traced, input_signature=[specs])
        return self._compute(tensors)

    def traced(self, batch: Batch) -> Any:
        """Return the losses [B] and the gradients of their sum, inside a compiled function."""
        variables = [tf_variable(v) for v in self.variables["weights"]]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            predictions = self.model(self.model.select_inputs(batch), training=False)
            each = self._loss(batch["labels"], predictions, batch.get("weights"))  # [B]
            total = tf.reduce_sum(each)
        return each, dense_gradients(tape, total, variables)


def shard_gradient(task: ShardTask, shared: Shared) -> GradientSum:
    """Return the sums of loss and gradient over a task's examples.

    Args:
      task: the shards and the choice among their records.
      shared: "settings" (`GradientSettings`), "model" (`ShippedModel`), "fixed" and "weights"
        (lists of arrays in the model's order).
    """
    settings: GradientSettings = shared["settings"].value
    shipped: ShippedModel = shared["model"].value
    worker = warm(shared["model"].key, lambda: GradientWorker(settings, shipped.make()))
    worker.receive(shared)
    broken: list[str] = []
    batches = settings.source.batches(task.shards, task.rows, broken)
    return worker.sum(prefetched(batches), broken)
