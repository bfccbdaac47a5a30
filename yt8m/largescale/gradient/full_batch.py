"""Loss and gradient of a model over a whole data set: a map over shards and an ordered sum.

Source: step 3 of KDD 2019, docs/sources.md#full-batch-gradient.

    executor = make_executor(address)
    source = RecordSource(schema, batch_size=512)
    full = FullBatchGradient(executor, model, source, pack_shards(files), frozen=("head",))
    rule = IRPropPlus(loss_test=fraction == 1.0)
    for i in range(45):
        result = full(iteration=i, fraction=fraction)      # at the model's current weights
        full.set_weights(rule.update(full.weights(), result.gradients, result.loss))
    full.close()

The model computes in inference mode: batch normalisation uses its moving statistics and there is no
dropout. So the gradient of an example depends on no other example, and the sum is one over examples
(docs/sources.md#inference-mode). Every task sums its batches, which are cut at fixed places, and
the tasks' float32 sums are added in float64 in the order of the tasks. So the result is bitwise the
same for any number of workers with equally many threads (`make_executor`).
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.compat import tf_variable
from yt8m.errors import UserError, look_for_nan
from yt8m.largescale.executors import Executor
from yt8m.largescale.gradient.gradient_sum import GradientSum, add_sums
from yt8m.largescale.gradient.shard_gradient import GradientSettings, shard_gradient
from yt8m.largescale.gradient.shared_model import SharedModel
from yt8m.largescale.tasks.record_source import RecordSource
from yt8m.largescale.tasks.run_shards import check_broken
from yt8m.largescale.tasks.shard_parts import ShardTask, draw_fraction
from yt8m.models.core.base import Yt8mModel


@dataclasses.dataclass(frozen=True)
class FullGradient:
    """The result of a pass over the data.

    Attributes:
      loss: the mean over the examples plus the regularisation, which is N times the regularisation
        on the scale of a sum.
      data_loss: the first of these two terms.
      regularization: the second of these terms.
      gradients: the gradients of `loss`, float64, one for each of `FullBatchGradient.variables`.
      num_examples: how many examples were read.
      num_tasks: how many tasks read them.
      num_broken: how many records were skipped as broken.
      seconds: how long the pass took.
    """

    loss: float
    data_loss: float
    regularization: float
    gradients: list[np.ndarray]
    num_examples: int
    num_tasks: int
    num_broken: int
    seconds: float


class FullBatchGradient:
    """Computes loss and gradient of a model over all of the data, or over a random fraction.

    Args:
      executor: runs the tasks.
      model: a built and registered model that `get_config()` can rebuild. Its head may be as large
        as a worker's memory. A local executor's tasks use this model itself.
      source: what the shards hold, and the batch size.
      tasks: the result of `pack_shards`.
      frozen: attributes of the model, e.g. ("head",), whose variables keep their values.
      loss: the name of a loss, applied to the model's predictions in inference mode.
      penalty: the weight of the model's regularisation, which is added to the mean loss.
      seed: decides the fractions.

    Attributes:
      shared: the model as the tasks have it, with which other tasks may compute too.
      variables: those with a gradient.

    Raises:
      ValueError: there are no tasks.
    """

    def __init__(
        self,
        executor: Executor,
        model: Yt8mModel,
        source: RecordSource,
        tasks: Sequence[ShardTask],
        frozen: Sequence[str] = (),
        loss: str = "CrossEntropyLoss",
        penalty: float = 1.0,
        seed: int = 0,
    ):
        if not tasks:
            raise ValueError("there are no tasks because there are no shards")
        self.executor, self.model, self.tasks = executor, model, list(tasks)
        self.penalty, self.seed = penalty, seed
        self._max_bad_records = source.max_bad_records
        settings = GradientSettings.of(model, frozen, loss, source)
        self.shared = SharedModel(executor, model, settings)
        self.variables = self.shared.variables

    def weights(self) -> list[np.ndarray]:
        """Return the current values of `variables`."""
        return [np.array(tf_variable(v)) for v in self.variables]

    def set_weights(self, values: Sequence[np.ndarray]) -> None:
        """Assign new values to `variables`."""
        for variable, value in zip(self.variables, values):
            variable.assign(value)
        self.shared.changed()

    def __call__(self, iteration: int = 0, fraction: float = 1.0) -> FullGradient:
        """Return loss and gradient at the model's current weights.

        Args:
          iteration: decides, together with the seed, which records a fraction below 1 contains.
          fraction: the share of the records, see `draw_fraction`. If a draw is empty, twice the
            share is drawn.

        Raises:
          UserError: there is no example, too many records are broken, or the loss or the gradient
            is not finite.
        """
        began = time.perf_counter()
        total, num_tasks = self._sum(iteration, fraction)
        check_broken(total.num_broken, self._max_bad_records)
        penalty, penalty_gradients = self._regularization()
        for gradient, extra in zip(total.gradients, penalty_gradients):
            gradient /= total.num_examples
            gradient += extra
        data_loss = total.loss / total.num_examples
        finite = all(np.isfinite(g).all() for g in total.gradients)
        if not math.isfinite(data_loss + penalty) or not finite:
            raise UserError(
                f"the full-batch loss ({data_loss}) or its gradient is not finite in iteration"
                f" {iteration}. {look_for_nan()} Otherwise the weights have diverged. The best"
                " model so far is kept; start a new run with --step1_from this one and a smaller"
                " --step3_initial_delta (or, for gd, --step3_learning_rate)."
            )
        return FullGradient(
            loss=data_loss + penalty,
            data_loss=data_loss,
            regularization=penalty,
            gradients=total.gradients,
            num_examples=total.num_examples,
            num_tasks=num_tasks,
            num_broken=total.num_broken,
            seconds=time.perf_counter() - began,
        )

    def _sum(self, iteration: int, fraction: float) -> tuple[GradientSum, int]:
        """Return the sums over the fraction's examples; there is at least one."""
        while True:
            tasks = draw_fraction(self.tasks, fraction, self.seed, iteration)
            total: GradientSum = self.executor.map_reduce(
                shard_gradient, tasks, self.shared.handles(), add_sums
            )
            if total.num_examples:
                return total, len(tasks)
            if fraction == 1.0:
                raise UserError(
                    "the training data contain no record; name other files with"
                    " --train_data_pattern."
                )
            fraction = min(1.0, 2.0 * fraction)  # a draw of few records may contain none

    def _regularization(self) -> tuple[float, Sequence[Any]]:
        """Return the penalty and its gradients."""
        variables = [tf_variable(v) for v in self.variables]
        if not self.penalty:
            return 0.0, [0.0] * len(variables)
        with tf.GradientTape() as tape:
            self.model._clear_losses()  # drops the terms of earlier calls; those of weights are new
            terms = [tf.cast(t, tf.float32) for t in self.model.losses]
            total = self.penalty * tf.add_n(terms or [tf.zeros([])])
        gradients = tape.gradient(total, variables)
        return float(total), [
            0.0 if g is None else tf.convert_to_tensor(g).numpy() for g in gradients
        ]

    def close(self) -> None:
        """Release the model that this process keeps for the tasks; the executor stays open."""
        self.shared.close()
