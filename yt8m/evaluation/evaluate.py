"""One exact pass over a labelled data set: metrics of a model."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Callable

import numpy as np

from yt8m.errors import UserError
from yt8m.metrics.evaluation_metrics import EvaluationMetrics
from yt8m.runs.predictor import Predictor


def evaluate(
    predictor: Predictor,
    dataset: Iterable[dict[str, Any]],
    loss: Callable[..., Any],
    num_classes: int,
    top_k: int = 20,
    on_batch: Callable[[dict[str, Any], np.ndarray], None] | None = None,
) -> EvaluationMetrics:
    """Return the metrics of every example, each seen once.

    Args:
      predictor: of the model.
      dataset: batches with labels.
      loss: `(labels, predictions, weights) -> [B]`.
      num_classes: K.
      top_k: labels a video that enter GAP and MAP.
      on_batch: called with each batch and its predictions [B, K], for further metrics.
    """
    metrics = EvaluationMetrics(num_classes, top_k=top_k)
    for batch, predictions in predictor.over(dataset):
        labels = batch["labels"].numpy()
        weights = batch["weights"].numpy() if "weights" in batch else None
        each = np.asarray(loss(labels, predictions, weights))
        metrics.update(predictions, labels, loss=each, weights=weights)
        if on_batch:
            on_batch(batch, predictions)
    return metrics


class MeanLoss:
    """The mean loss of a reconstruction over every video of a data set."""

    def __init__(self) -> None:
        self._sum, self._count = 0.0, 0

    def update(self, losses: np.ndarray) -> None:
        """Add the losses [B] of a batch."""
        self._sum += float(np.sum(losses, dtype=np.float64))
        self._count += len(losses)

    def result(self) -> dict[str, Any]:
        """Return `loss` and `num_examples`.

        Raises:
          UserError: no example was seen, or none had anything to reconstruct.
        """
        if not self._count:
            raise UserError(
                "no example was evaluated: the data hold no record. Check --eval_data_pattern."
            )
        if self._sum == 0.0:
            raise UserError(
                f"none of {self._count:,} videos has anything to reconstruct: each loss is exactly 0. Clips as long as the videos"
                " have no neighbours; lower --model_option=clip_size."
            )
        return {"loss": self._sum / self._count, "num_examples": self._count}


def evaluate_reconstruction(predictor: Predictor, dataset: Iterable[dict[str, Any]]) -> MeanLoss:
    """Return the mean loss of a reconstruction model over every example, each seen once; see `evaluate` for the arguments."""
    mean = MeanLoss()
    for _, losses in predictor.over(dataset):
        mean.update(losses)
    return mean


def timed(function: Callable[[], EvaluationMetrics | MeanLoss]) -> dict[str, Any]:
    """Return the result of an evaluation with the `seconds` it took."""
    start = time.monotonic()
    result = function().result()
    return {**result, "seconds": round(time.monotonic() - start, 3)}
