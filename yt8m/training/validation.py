"""A run's validation set, evaluated exactly each time it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Callable

import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.shards import find_shards
from yt8m.data.pipeline import read_batches
from yt8m.data.records.sampling import FrameSampling
from yt8m.evaluation.evaluate import evaluate, evaluate_reconstruction, timed
from yt8m.losses import registry as losses
from yt8m.models.core import registry
from yt8m.models.core.base import Yt8mModel
from yt8m.runs.build import schema_like
from yt8m.runs.config import RunConfig
from yt8m.runs.predictor import Predictor


class Validation:
    """The records of `--eval_data_pattern` as the run's settings read them.

    Args:
      config: the run's.
      strategy: under whose scope the models to validate are made.

    Raises:
      UserError: the records do not fit the run.
    """

    def __init__(self, config: RunConfig, strategy: tf.distribute.Strategy):
        t = config.training
        self._config, self._strategy = config, strategy
        self.files = find_shards(t.eval_data_pattern, "--eval_data_pattern")
        self.schema, _ = schema_like(config, self.files, "--eval_data_pattern")
        self.batch_size = t.eval_batch_size or config.recipe.batch_size
        self.sampling = FrameSampling("even", t.eval_frames) if t.eval_frames else FrameSampling()
        self._loss = losses.get(config.recipe.label_loss)
        self._classifies = registry.model_class(config.model.name).task == "classification"

    def predictor(self, model: Yt8mModel) -> Predictor:
        """Return what predicts with `model` as it is at each call; make it once, for it compiles."""
        return Predictor(self._strategy, model, self.batch_size, self._config.training.jit_compile)

    def __call__(
        self, predictor: Any, dataset: Callable[[], Iterable] | None = None
    ) -> dict[str, Any]:
        """Return the metrics of one pass, with the `seconds` it took.

        Args:
          predictor: has `over(dataset)`, which yields (batch, probabilities [B, K]).
          dataset: makes other batches than the records, such as their features on disk.
        """
        bad = BadRecords(0)
        batches = dataset() if dataset else self.records(bad)
        classes, top_k = self._config.schema.num_classes, self._config.training.top_k
        with bad.explained(classes):
            if self._classifies:
                return timed(lambda: evaluate(predictor, batches, self._loss, classes, top_k))
            return timed(lambda: evaluate_reconstruction(predictor, batches))

    def score(self, result: dict[str, Any]) -> float:
        """Return what is to be maximised of a result: GAP, or minus the loss of a reconstruction."""
        return float(result["gap"] if self._classifies else -result["loss"])

    def records(self, bad: BadRecords) -> Iterator[dict[str, tf.Tensor]]:
        """Return the batches of one pass over the records."""
        return read_batches(
            self.files, self.schema, bad, batch_size=self.batch_size, sampling=self.sampling
        )
