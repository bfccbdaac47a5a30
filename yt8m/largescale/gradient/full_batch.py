"""Loss and gradient of a model over a whole data set, by a map over its shards and an ordered sum (KDD step 3; spec D.7).

    executor = make_executor(address)
    source = RecordSource(schema, batch_size=512)
    full = FullBatchGradient(executor, model, source, pack_shards(files), frozen=("head",))
    rule = IRPropPlus(loss_test=fraction == 1.0)
    for i in range(45):
        result = full(iteration=i, fraction=fraction)      # at the model's present weights
        full.set_weights(rule.update(full.weights(), result.gradients, result.loss))
    full.close()

The model computes in inference mode: batch normalisation uses its moving statistics and nothing is dropped, so an
example's gradient hangs on no other example and the sum is one over examples (trap E-29). Every task sums its
batches, cut at fixed places; the tasks' float32 sums are added in float64 in the order of the tasks. So the
result is the same, bit for bit, for any number of workers, if their threads are as many (`make_executor`).
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import os
import platform
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.errors import UserError, look_for_nan
from yt8m.largescale.executors.base import Executor, Shared, forget, warm
from yt8m.largescale.executors.in_process import InProcessExecutor
from yt8m.largescale.gradient.gradient_sum import GradientSum, add_sums
from yt8m.largescale.tasks.record_source import Batch, ReadAhead, Source
from yt8m.largescale.tasks.shard_parts import ShardTask, draw_fraction
from yt8m.losses import registry as losses
from yt8m.models.core import registry
from yt8m.models.core.base import Yt8mModel
from yt8m.training.weight_average import tf_variable

_numbers = itertools.count()


@dataclasses.dataclass(frozen=True)
class GradientJob:
    """What a worker makes its model from, once; its weights come by broadcast.

    Attributes:
      model: registered name.
      arguments: the constructor's, as JSON.
      frozen: attributes of the model whose variables have no gradient.
      loss: name of a loss.
      dtype: Keras's policy, e.g. "float32" or "mixed_bfloat16".
      source: what the shards hold.
    """

    model: str
    arguments: str
    frozen: Sequence[str]
    loss: str
    dtype: str
    source: Source

    def make_model(self) -> Yt8mModel:
        """Return the model with its weights built."""
        tf.keras.mixed_precision.set_global_policy(self.dtype)
        return registry.create(self.model, **json.loads(self.arguments)).build_weights()


@dataclasses.dataclass(frozen=True)
class FullGradient:
    """The result of a pass.

    Attributes:
      loss: mean over the examples plus the regularisation, which is N times the regularisation on the sum's scale.
      data_loss, regularization: its two terms.
      gradients: float64, of `loss`, an array for each of `FullBatchGradient.variables`.
      num_examples, num_tasks, num_broken: what was read.
      seconds: of the pass.
    """

    loss: float
    data_loss: float
    regularization: float
    gradients: list[np.ndarray]
    num_examples: int
    num_tasks: int
    num_broken: int
    seconds: float


def chosen_variables(model: Yt8mModel, frozen: Sequence[str]) -> list[Any]:
    """Return the trainable variables, in the model's order, that no attribute named in `frozen` holds."""
    excluded = {id(v) for name in frozen for v in getattr(model, name).variables}
    return [v for v in model.trainable_variables if id(v) not in excluded]


class _Worker:
    """A process's model, kept between tasks, with the versions of the weights it has taken."""

    def __init__(self, job: GradientJob, model: Yt8mModel | None = None):
        self.own = (
            model is None
        )  # otherwise it is the trainer's, in the trainer's process, and has its weights
        self.model = model if model is not None else job.make_model()
        self.job, self._loss = job, losses.get(job.loss)
        chosen = chosen_variables(self.model, job.frozen)
        ids = {id(v) for v in chosen}
        self.variables = {
            "weights": chosen,
            "fixed": [v for v in self.model.weights if id(v) not in ids],
        }
        self._taken = {"weights": "", "fixed": ""}
        self._batch: Any = None

    def take(self, shared: Shared) -> None:
        """Take the broadcast weights, unless this version is here."""
        for name in ("fixed", "weights") if self.own else ():
            if self._taken[name] == shared[name].key:
                continue
            for variable, value in zip(self.variables[name], shared[name].value):
                variable.assign(value)
            self._taken[name] = shared[name].key

    def _gradient(self, batch: Batch) -> Any:
        variables = [tf_variable(v) for v in self.variables["weights"]]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            predictions = self.model(self.model.select_inputs(batch), training=False)
            each = self._loss(batch["labels"], predictions, batch.get("weights"))  # [B]
            total = tf.reduce_sum(each)
        gradients = tape.gradient(total, variables)
        return each, [
            tf.zeros_like(v) if g is None else tf.convert_to_tensor(g)
            for g, v in zip(gradients, variables)
        ]

    def _compute(self, batch: Batch) -> Any:
        names = (*self.model.input_keys, "labels", "weights")
        batch = {k: tf.convert_to_tensor(batch[k]) for k in names if k in batch}
        if self._batch is None:
            # One program for every size of batch: which sizes a worker met first must not show in the digits.
            specs = {k: tf.TensorSpec([None, *v.shape[1:]], v.dtype) for k, v in batch.items()}
            self._batch = tf.function(self._gradient, input_signature=[specs])
        return self._batch(batch)

    def sum(self, batches: Any, broken: list[str]) -> GradientSum:
        """Return the sums over all batches."""
        loss, count, total = 0.0, 0, None
        for batch in batches:
            each, gradients = self._compute(batch)
            # NumPy adds in one thread, in one order; TensorFlow's sum over a batch depends on the threads.
            loss += float(each.numpy().sum(dtype=np.float64))
            count += int(each.shape[0])
            parts = [g.numpy() for g in gradients]
            if total is None:
                total = parts
            else:
                if total[0].dtype != np.float64:
                    total = [t.astype(np.float64) for t in total]
                for t, p in zip(total, parts):
                    np.add(t, p, out=t)
        if total is None:
            total = [np.zeros(v.shape, np.float32) for v in self.variables["weights"]]
        return GradientSum(loss, count, len(broken), [np.asarray(t, np.float32) for t in total])


class _Reading:
    """A task's batches, being read, with the broken records met so far."""

    def __init__(self, task: ShardTask, source: Source):
        self.broken: list[str] = []
        self.batches = ReadAhead(source.batches(task.shards, task.rows, self.broken))

    def close(self) -> None:
        self.batches.close()


def shard_gradient(
    task: ShardTask, shared: Shared, prepared: _Reading | None = None
) -> GradientSum:
    """Return the sums of loss and gradient over a task's examples: the map of step 3.

    Args:
      task: which shards and records.
      shared: "job" (`GradientJob`), "fixed" and "weights" (lists of arrays in the model's order).
      prepared: of `shard_gradient.prepare`.
    """
    worker = warm(shared["job"].key, lambda: _Worker(shared["job"].value))
    reading = prepared or _Reading(task, shared["job"].value.source)
    worker.take(shared)
    return worker.sum(reading.batches, reading.broken)


shard_gradient.prepare = lambda task, shared: _Reading(task, shared["job"].value.source)  # type: ignore[attr-defined]


class FullBatchGradient:
    """Computes loss and gradient of a model over all of the data, or a random fraction, at its present weights.

    Args:
      executor: runs the tasks.
      model: built and registered; `get_config()` must rebuild it. Its head may be as large as a worker's memory.
      source: what the shards hold, and the batch size.
      tasks: of `pack_shards`.
      frozen: attributes of the model, e.g. ("head",), whose variables keep their values.
      loss: name of a loss; it is applied to the model's answers in inference mode.
      penalty: weight of the model's regularisation, which is added to the mean loss.
      seed: of the fractions.
    """

    def __init__(
        self,
        executor: Executor,
        model: Yt8mModel,
        source: Source,
        tasks: Sequence[ShardTask],
        frozen: Sequence[str] = (),
        loss: str = "CrossEntropyLoss",
        penalty: float = 1.0,
        seed: int = 0,
    ):
        if not tasks:
            raise ValueError("no tasks: there are no shards")
        self.executor, self.model, self.tasks = executor, model, list(tasks)
        self.penalty, self.seed = penalty, seed
        self.variables = chosen_variables(model, frozen)
        policy = tf.keras.mixed_precision.global_policy().name
        name = registry.name_of(type(model))
        self._job = GradientJob(
            name, json.dumps(model.get_config()), tuple(frozen), loss, policy, source
        )
        self._key = f"{name}-{platform.node()}-{os.getpid()}-{next(_numbers)}"
        # In this process no second model is made: the tasks use the trainer's, whose weights are up to date.
        self._here = isinstance(executor, InProcessExecutor)
        self._worker = _Worker(self._job, model)
        self._shared: dict[str, Any] = {"job": executor.broadcast(self._job, self._key)}
        self._versions = itertools.count()
        self.refresh_frozen()

    def weights(self) -> list[np.ndarray]:
        """Return the present values of `variables`."""
        return [np.array(tf_variable(v)) for v in self.variables]

    def set_weights(self, values: Sequence[np.ndarray]) -> None:
        """Assign new values to `variables`."""
        for variable, value in zip(self.variables, values):
            variable.assign(value)

    def refresh_frozen(self) -> None:
        """Broadcast again what is no part of `variables`: after the head or the moving statistics have changed."""
        self._broadcast("fixed", self._worker.variables["fixed"])

    def _broadcast(self, name: str, variables: Sequence[Any]) -> None:
        values = [] if self._here else [np.array(tf_variable(v)) for v in variables]
        self._shared[name] = self.executor.broadcast(
            values, f"{self._key}-{name}-{next(self._versions)}"
        )

    def __call__(self, iteration: int = 0, fraction: float = 1.0) -> FullGradient:
        """Return loss and gradient of the data at the model's present weights.

        Args:
          iteration: with the seed, decides which records a fraction below 1 is.
          fraction: share of the records, see `draw_fraction`; where it draws none, twice as much is drawn from.

        Raises:
          UserError: there is no example, records are broken, or the loss or the gradient is not finite.
        """
        began = time.perf_counter()
        self._broadcast("weights", self.variables)
        if self._here:
            warm(self._key, lambda: self._worker)
        while True:
            tasks = draw_fraction(self.tasks, fraction, self.seed, iteration)
            total: GradientSum = self.executor.map_reduce(
                shard_gradient, tasks, self._shared, add_sums
            )
            if total.num_examples or fraction == 1.0:
                break
            fraction = min(1.0, 2.0 * fraction)  # a draw of a few records may be one of none
        if not total.num_examples:
            raise UserError(
                "the training data hold no record; --train_data_pattern names other files."
            )
        if total.num_broken > self._job.source.max_bad_records:
            raise UserError(
                f"{total.num_broken} broken records were met, and --max_bad_records={self._job.source.max_bad_records} allows no more;"
                " `python -m yt8m.data.inspect --full PATTERN` lists them."
            )
        penalty, of_penalty = self._regularization()
        for gradient, extra in zip(total.gradients, of_penalty):
            gradient /= total.num_examples
            gradient += extra
        data_loss = total.loss / total.num_examples
        if not math.isfinite(data_loss + penalty) or not all(
            np.isfinite(g).all() for g in total.gradients
        ):
            raise UserError(
                f"the full-batch loss ({data_loss}) or its gradient is not finite in iteration {iteration}. {look_for_nan()}"
                " Else the weights have run away. The best model so far is kept; a new run with --step1_from this one takes a smaller"
                " --step3_initial_delta (or, of gd, --step3_learning_rate)."
            )
        return FullGradient(
            loss=data_loss + penalty,
            data_loss=data_loss,
            regularization=penalty,
            gradients=total.gradients,
            num_examples=total.num_examples,
            num_tasks=len(tasks),
            num_broken=total.num_broken,
            seconds=time.perf_counter() - began,
        )

    def _regularization(self) -> Any:
        variables = [tf_variable(v) for v in self.variables]
        if not self.penalty:
            return 0.0, [0.0] * len(variables)
        with tf.GradientTape() as tape:
            self.model._clear_losses()  # what an earlier call left; the weights' own terms are made anew
            terms = self.model.losses
            total = self.penalty * tf.add_n(
                [tf.cast(t, tf.float32) for t in terms] or [tf.zeros([])]
            )
        gradients = tape.gradient(total, variables)
        return float(total), [
            0.0 if g is None else tf.convert_to_tensor(g).numpy() for g in gradients
        ]

    def close(self) -> None:
        """Forget what this process keeps for the tasks; the executor stays open."""
        forget(self._key)
        self._shared.clear()
