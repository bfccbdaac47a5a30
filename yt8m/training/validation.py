"""A run's validation set, which each call evaluates exactly."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.evaluation.evaluate import Pairs, evaluate, evaluate_reconstruction, timed
from yt8m.losses import registry as losses
from yt8m.models.core import registry
from yt8m.models.core.base import Yt8mModel
from yt8m.runs.config import RunConfig
from yt8m.runs.evaluation_records import EvaluationRecords
from yt8m.runs.predictor import Predictor


class Validation(EvaluationRecords):
    """The records of `--eval_data_pattern`, and the metrics of a model on them.

    Args:
      config: the run's settings.
      strategy: the strategy under whose scope the models to validate are created.

    Raises:
      UserError: the records do not match the run.
    """

    def __init__(self, config: RunConfig, strategy: tf.distribute.Strategy):
        super().__init__(config, config.training.eval_data_pattern, "--eval_data_pattern")
        self._config, self._strategy = config, strategy
        self._loss = losses.get(config.recipe.label_loss)
        self._classifies = registry.model_class(config.model.name).task == "classification"

    def predictor(self, model: Yt8mModel) -> Predictor:
        """Return a predictor for `model`; create it once, since it compiles."""
        return Predictor(self._strategy, model, self.batch_size, self._config.training.jit_compile)

    def __call__(self, predictor: Predictor) -> dict[str, Any]:
        """Return the metrics of one pass over the records, with the `seconds` it took."""
        bad = BadRecords(0)
        with bad.explained(self._config.schema.num_classes):
            return self.measure(predictor.over(self.batches(bad)))

    def measure(self, pairs: Pairs) -> dict[str, Any]:
        """Return the metrics of (batch, predictions) pairs, with the `seconds` they took."""
        if not self._classifies:
            return timed(lambda: evaluate_reconstruction(pairs))
        classes, top_k = self._config.schema.num_classes, self._config.training.top_k
        return timed(lambda: evaluate(pairs, self._loss, classes, top_k))

    def score(self, result: dict[str, Any]) -> float:
        """Return the number to maximise: GAP, or minus the loss of a reconstruction."""
        return float(result["gap"] if self._classifies else -result["loss"])
