"""One exact pass over a labelled data set: metrics of a model."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, Iterable, Optional

import numpy as np

from yt8m.evaluation.predictor import Predictor
from yt8m.metrics.evaluation_metrics import EvaluationMetrics


def evaluate(
    predictor: Predictor,
    dataset: Iterable[Dict[str, Any]],
    loss: Callable[..., Any],
    num_classes: int,
    top_k: int = 20,
    on_batch: Optional[Callable[[int], None]] = None,
) -> EvaluationMetrics:
    """Return the metrics of every example, each seen once.

    Args:
      predictor: of the model.
      dataset: batches with labels.
      loss: `(labels, predictions, weights) -> [B]`.
      num_classes: K.
      top_k: labels a video that enter GAP and MAP.
      on_batch: called with the number of examples seen so far, e.g. to show progress.
    """
    metrics = EvaluationMetrics(num_classes, top_k=top_k)
    seen = 0
    for batch, predictions in predictor.over(dataset):
        labels = batch["labels"].numpy()
        weights = batch["weights"].numpy() if "weights" in batch else None
        each = np.asarray(loss(labels, predictions, weights))
        metrics.update(predictions, labels, loss=each, weights=weights)
        seen += len(labels)
        if on_batch:
            on_batch(seen)
    return metrics


def timed(function: Callable[[], EvaluationMetrics]) -> Dict[str, Any]:
    """Return the result of an evaluation with the `seconds` it took."""
    start = time.monotonic()
    result = function().result()
    return {**result, "seconds": round(time.monotonic() - start, 3)}
