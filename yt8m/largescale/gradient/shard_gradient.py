"""The task of step 3: loss and gradient, summed over the examples of some shards."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, Callable

import numpy as np
import tensorflow as tf

from yt8m.compat import tf_variable
from yt8m.largescale.executors import Shared, warm
from yt8m.largescale.gradient.device_sums import DeviceSums
from yt8m.largescale.gradient.frozen_head import FrozenHead, head_variables
from yt8m.largescale.gradient.gradient_sum import GradientSum
from yt8m.largescale.tasks.prefetch import prefetched
from yt8m.largescale.tasks.record_source import Batch, RecordSource
from yt8m.largescale.tasks.shard_parts import ShardTask
from yt8m.largescale.tasks.shared_arrays import as_tensor
from yt8m.largescale.tasks.shipped_model import ShippedModel
from yt8m.losses import registry as losses
from yt8m.models.core.aggregator_and_head import AggregatorAndHead
from yt8m.models.core.base import Yt8mModel
from yt8m.training.step import dense_gradients


@dataclasses.dataclass(frozen=True)
class GradientSettings:
    """What to differentiate, and on which data.

    Attributes:
      frozen: attributes of the model whose variables get no gradient.
      loss: the name of a loss.
      source: how the shards are read.
      head: the head, if it is frozen and can be computed by blocks of classes; else None.
    """

    frozen: tuple[str, ...]
    loss: str
    source: RecordSource
    head: FrozenHead | None = None

    @classmethod
    def of(
        cls, model: Yt8mModel, frozen: Sequence[str], loss: str, source: RecordSource
    ) -> GradientSettings:
        """Return the settings for a built model."""
        ends = "head" in frozen and isinstance(model, AggregatorAndHead)
        head = FrozenHead.of(model.head, loss) if ends else None
        return cls(tuple(frozen), loss, source, head)


def chosen_variables(model: Yt8mModel, frozen: Sequence[str]) -> list[Any]:
    """Return the trainable variables outside the attributes in `frozen`, in the model's order."""
    excluded = {id(v) for name in frozen for v in getattr(model, name).variables}
    return [v for v in model.trainable_variables if id(v) not in excluded]


class GradientWorker:
    """A model that a process keeps between tasks, with the keys of the weights it last received.

    Args:
      settings: what is differentiated.
      model: a built model. If the head arrives with the tasks, the model's own is not used.
    """

    def __init__(self, settings: GradientSettings, model: Yt8mModel):
        self.model, self._settings = model, settings
        self._loss = losses.get(settings.loss)
        chosen = chosen_variables(model, settings.frozen)
        ids = {id(v) for v in chosen}
        if settings.head is not None:
            ids |= {id(v) for v in model.head.variables}
        fixed = [v for v in model.weights if id(v) not in ids]
        self.variables = {"weights": chosen, "fixed": fixed}
        self._received = {"weights": "", "fixed": "", "head": ""}
        self._head: list[tf.Tensor] = []  # empty: that of the model
        self._compiled: dict[str, Any] = {}
        self._sums: DeviceSums | None = None  # made when they are first needed

    def head_values(self) -> list[Any]:
        """Return the variables of a head that is computed by blocks; none if it is not."""
        return head_variables(self.model.head) if self._settings.head else []

    def receive(self, shared: Shared) -> None:
        """Assign the broadcast weights, unless the model already has this version."""
        for name, variables in self.variables.items():
            if self._received[name] == shared[name].key:
                continue
            for variable, value in zip(variables, shared[name].value):
                variable.assign(value)
            self._received[name] = shared[name].key
        if self._received["head"] != shared["head"].key:
            self._arrays = shared["head"].value  # their memory is that of the tensors
            self._head = [as_tensor(array) for array in self._arrays]
            self._received["head"] = shared["head"].key

    def sum(self, batches: Iterable[Batch], broken: list[str]) -> GradientSum:
        """Return the sums over all batches.

        Args:
          batches: the examples.
          broken: one line for each broken record, complete when the batches have been read.
        """
        loss, count = 0.0, 0
        if self._sums is None:
            self._sums = DeviceSums([v.shape for v in self.variables["weights"]])
        self._sums.clear()
        for batch in batches:
            each, gradients = self._called(self.traced, batch, "labels", "weights")
            self._sums.add(gradients)
            # NumPy adds in one order; the order of TensorFlow's sums depends on the threads.
            loss += float(each.numpy().sum(dtype=np.float64))
            count += int(each.shape[0])
        return GradientSum(loss, count, len(broken), self._sums.arrays())

    def probabilities(self, batch: Batch) -> np.ndarray:
        """Return the probabilities [B, K] of a batch."""
        found: np.ndarray = self._called(self._traced_probabilities, batch).numpy()
        return found

    def _called(self, function: Callable[..., Any], batch: Batch, *names: str) -> Any:
        """Return what a method gives, compiled, for `names` of the batch and the inputs."""
        wanted = (*self.model.input_keys, *names)
        tensors = {k: tf.convert_to_tensor(batch[k]) for k in wanted if k in batch}
        # Arguments in any case: a program that reads variables may round in another way.
        head = self._head or [tf.convert_to_tensor(v) for v in self.head_values()]
        key = function.__name__
        if key not in self._compiled:
            # One program for all batch sizes: the digits must not depend on which came first.
            specs = {k: tf.TensorSpec([None, *v.shape[1:]], v.dtype) for k, v in tensors.items()}
            of_head = [tf.TensorSpec(a.shape, a.dtype) for a in head]
            self._compiled[key] = tf.function(function, input_signature=[specs, of_head])
        return self._compiled[key](tensors, head)

    def _traced_probabilities(self, batch: Batch, head: Sequence[tf.Tensor]) -> tf.Tensor:
        inputs, settings = self.model.select_inputs(batch), self._settings
        if settings.head is None:
            return self.model(inputs, training=False)
        v = self.model.aggregate(inputs, training=False)  # [B, W]
        return settings.head.probabilities(v, head, settings.source.batch_size)

    def traced(self, batch: Batch, head: Sequence[tf.Tensor] = ()) -> Any:
        """Return the losses [B] and the gradients of their sum, inside a compiled function.

        Args:
          batch: the examples.
          head: the values of `head_values`; none stands for those of the model.
        """
        variables = [tf_variable(v) for v in self.variables["weights"]]
        settings, weights = self._settings, batch.get("weights")
        inputs = self.model.select_inputs(batch)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            if settings.head is not None:
                target = self.model.aggregate(inputs, training=False)  # v [B, W]
            else:
                predictions = self.model(inputs, training=False)
                each = self._loss(batch["labels"], predictions, weights)  # [B]
                target = tf.reduce_sum(each)
        if settings.head is None:
            return each, dense_gradients(tape, target, variables)
        each, to_v = settings.head.loss_and_gradient(
            self._loss,
            target,
            batch["labels"],
            weights,
            head or self.head_values(),
            settings.source.batch_size,
        )
        return each, dense_gradients(tape, target, variables, to_v)


def received_worker(shared: Shared) -> GradientWorker:
    """Return this process's worker, with the weights that were broadcast.

    Args:
      shared: "settings" (`GradientSettings`), "model" (`ShippedModel`), "fixed", "head" and
        "weights" (lists of arrays in the model's order, empty where the model has them).
    """
    settings: GradientSettings = shared["settings"].value
    shipped: ShippedModel = shared["model"].value
    worker = warm(shared["model"].key, lambda: GradientWorker(settings, shipped.make()))
    worker.receive(shared)
    return worker


def shard_gradient(task: ShardTask, shared: Shared) -> GradientSum:
    """Return the sums of loss and gradient over a task's examples.

    Args:
      task: the shards and the choice among their records.
      shared: see `received_worker`.
    """
    settings: GradientSettings = shared["settings"].value
    broken: list[str] = []
    batches = settings.source.batches(task.shards, task.rows, broken)
    return received_worker(shared).sum(prefetched(batches), broken)
