"""Predictions for every example of a data set, each once and in order, on any number of replicas.

Batches are padded to one static size, which XLA and TPUs need, and the padding is cut off again.
Only the model's inputs travel to the devices; string ids stay on the host.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m.models.core.base import Yt8mModel

Batch = dict[str, tf.Tensor]


class Predictor:
    """Calls a model in inference mode.

    Args:
      strategy: under whose scope the model was made.
      model: a built model.
      batch_size: examples in a call, over this worker's replicas; rounded up to a multiple of them.
      jit_compile: compile with XLA; a TPU does so in any case.

    Attributes:
      run: from the model's inputs, with each replica's rows on that replica, to its outputs.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        model: Yt8mModel,
        batch_size: int,
        jit_compile: bool = False,
    ):
        self._strategy, self._model = strategy, model
        self._replicas = max(1, len(strategy.extended.worker_devices))
        self._per_replica = -(-batch_size // self._replicas)
        jit_compile = jit_compile and not isinstance(strategy, tf.distribute.TPUStrategy)
        # A model may need AutoGraph in its `call`; what is around it does not.
        forward = tf.function(lambda inputs: model(inputs, training=False), jit_compile=jit_compile)
        self.run = tf.function(
            lambda inputs: strategy.run(forward, args=(inputs,)), autograph=False
        )

    def __call__(self, batch: Batch) -> NDArray[Any]:
        """Return the model's outputs for one batch of at most `batch_size` examples.

        They are probabilities [B, K], or the losses [B] of a reconstruction.
        """
        inputs = self._model.select_inputs(batch)
        rows = int(next(iter(inputs.values())).shape[0])
        size = self._per_replica * self._replicas
        if rows > size:
            raise ValueError(f"a batch of {rows} was given to a predictor for {size}")
        padded = {
            key: tf.pad(value, [[0, size - rows]] + [[0, 0]] * (len(value.shape) - 1))
            for key, value in inputs.items()
        }
        parts = self._strategy.experimental_local_results(self.run(self._dealt(padded)))
        return np.concatenate([p.numpy() for p in parts])[:rows]

    def over(self, dataset: Iterable[Batch]) -> Iterator[tuple[Batch, NDArray[Any]]]:
        """Yield (batch, outputs) for every batch of a data set."""
        for batch in dataset:
            yield batch, self(batch)

    def _dealt(self, inputs: Batch) -> Any:
        """Return the inputs with each replica's rows placed on that replica."""
        if self._replicas == 1:
            return inputs
        rows = self._per_replica

        def part(context: tf.distribute.ValueContext) -> Batch:
            first = (context.replica_id_in_sync_group % self._replicas) * rows
            return {key: value[first:][:rows] for key, value in inputs.items()}

        return self._strategy.experimental_distribute_values_from_function(part)
