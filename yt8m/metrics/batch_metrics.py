"""The metrics of one batch, for the progress lines of a training run."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from yt8m.metrics.evaluation_metrics import EvaluationMetrics


def batch_metrics(
    predictions: NDArray[Any], labels: NDArray[Any], top_k: int = 20
) -> dict[str, float]:
    """Return `gap`, `hit_at_1` and `perr` of predictions and labels [B, K]."""
    metrics = EvaluationMetrics(predictions.shape[1], top_k=top_k)
    metrics.update(predictions, labels)
    result = metrics.result()
    return {name: float(result[name] or 0.0) for name in ("gap", "hit_at_1", "perr")}
