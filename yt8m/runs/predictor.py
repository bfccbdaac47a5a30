"""Predictions for every example of a data set, once each and in order, on however many replicas.

Batches are padded to one static size (XLA and TPUs need it; the padding is cut off again) and
only the model's inputs travel to the devices, so that string ids stay on the host.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.models.core.base import Yt8mModel


class Predictor:
    """Calls a model in inference mode.

    Args:
      strategy: under whose scope the model was made.
      model: built.
      batch_size: examples a call, over this worker's replicas; rounded up to a multiple of them.
      jit_compile: compile with XLA.
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
        forward = tf.function(lambda inputs: model(inputs, training=False), jit_compile=jit_compile)
        self._run = tf.function(lambda inputs: strategy.run(forward, args=(inputs,)))

    def __call__(self, batch: dict[str, Any]) -> np.ndarray:
        """Return what the model gives, probabilities [B, K], for one batch of at most `batch_size` examples."""
        inputs = self._model.select_inputs(batch)
        rows = int(next(iter(inputs.values())).shape[0])
        whole = self._per_replica * self._replicas
        if rows > whole:
            raise ValueError(f"a batch of {rows} was given to a predictor for {whole}")
        padded = {
            k: tf.pad(v, [[0, whole - rows]] + [[0, 0]] * (len(v.shape) - 1))
            for k, v in inputs.items()
        }
        if self._replicas > 1:
            n = self._per_replica
            local = self._strategy.experimental_distribute_values_from_function(
                lambda ctx: {
                    k: v[(ctx.replica_id_in_sync_group % self._replicas) * n :][:n]
                    for k, v in padded.items()
                }
            )
        else:
            local = padded
        parts = self._strategy.experimental_local_results(self._run(local))
        return np.concatenate([p.numpy() for p in parts])[:rows]

    def over(
        self, dataset: Iterable[dict[str, Any]]
    ) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
        """Yield (batch, probabilities [B, K]) for every batch of a data set."""
        for batch in dataset:
            yield batch, self(batch)
