"""Metrics over one exact pass of a labelled data set."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Callable

import numpy as np

from yt8m.errors import UserError
from yt8m.evaluation.details import Details
from yt8m.metrics.evaluation_metrics import EvaluationMetrics
from yt8m.metrics.mean_average_precision import MapClasses

Pairs = Iterable[tuple[dict[str, Any], np.ndarray]]  # (batch, predictions [B, K])


def evaluate(
    pairs: Pairs,
    loss: Callable[..., Any],
    num_classes: int,
    top_k: int = 20,
    details: Details | None = None,
    map_classes: MapClasses = "positive",
) -> EvaluationMetrics:
    """Return the metrics of every example of a data set.

    Args:
      pairs: each batch, with its labels [B, K] (and weights [B, K], if any), beside its predictions
        [B, K]; see `Predictor.over`.
      loss: `(labels, predictions, weights) -> [B]`.
      num_classes: K.
      top_k: predictions per video that count for GAP and MAP.
      details: collects more about the predictions, or None.
      map_classes: see `mean_average_precision`.
    """
    metrics = EvaluationMetrics(num_classes, top_k, map_classes)
    for batch, predictions in pairs:
        labels = batch["labels"].numpy()
        weights = batch["weights"].numpy() if "weights" in batch else None
        losses = np.asarray(loss(labels, predictions, weights))
        best = metrics.update(predictions, labels, loss=losses, weights=weights)
        if details is not None:
            scores = predictions if weights is None else predictions * weights
            details.update(batch["id"].numpy(), scores, labels > 0, best)
    return metrics


class MeanLoss:
    """The mean reconstruction loss over every video of a data set."""

    def __init__(self) -> None:
        self._sum, self._count = 0.0, 0

    def update(self, losses: np.ndarray) -> None:
        """Add the losses [B] of a batch."""
        self._sum += float(np.sum(losses, dtype=np.float64))
        self._count += len(losses)

    def result(self) -> dict[str, Any]:
        """Return `loss` and `num_examples`.

        Raises:
          UserError: there was no example, or no example had anything to reconstruct.
        """
        if not self._count:
            raise UserError(
                "no example was evaluated: the data contain no record. Check --eval_data_pattern."
            )
        if self._sum == 0.0:
            raise UserError(
                f"none of the {self._count:,} videos has anything to reconstruct: every loss is"
                " exactly 0. Clips that are as long as the videos have no neighbouring frames;"
                " lower --model_option=clip_size."
            )
        return {"loss": self._sum / self._count, "num_examples": self._count}


def evaluate_reconstruction(pairs: Pairs) -> MeanLoss:
    """Return the mean loss of a reconstruction model.

    Args:
      pairs: each batch beside its losses [B].
    """
    mean = MeanLoss()
    for _, losses in pairs:
        mean.update(losses)
    return mean


def timed(function: Callable[[], EvaluationMetrics | MeanLoss]) -> dict[str, Any]:
    """Return the result of an evaluation with the `seconds` it took."""
    start = time.monotonic()
    result = function().result()
    return {**result, "seconds": round(time.monotonic() - start, 3)}
