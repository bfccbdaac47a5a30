"""Metrics of several models on the same videos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from yt8m.fusion.align import AlignedInputs, Chunk
from yt8m.metrics.evaluation_metrics import EvaluationMetrics
from yt8m.submission.ground_truth import GroundTruth


class ModelMetrics:
    """Metrics of each of several models.

    Args:
      truth: labels of all videos.
      num_models: number of models.
      num_classes: K.
      top_k: predictions per video that count for GAP and MAP.
      within: bool [N], the videos that count; None means all.
    """

    def __init__(
        self,
        truth: GroundTruth,
        num_models: int,
        num_classes: int,
        top_k: int,
        within: np.ndarray | None = None,
    ):
        self._truth, self._num_classes, self._within = truth, num_classes, within
        self._metrics = [EvaluationMetrics(num_classes, top_k) for _ in range(num_models)]

    def update(self, chunk: Chunk, scores: Sequence[np.ndarray]) -> None:
        """Add each model's scores [n, K] of a chunk."""
        chosen = slice(None) if self._within is None else self._within[chunk.rows]
        ids = np.asarray(chunk.ids, object)[chosen].tolist()
        labels = self._truth.multi_hot(ids, self._num_classes)
        for metric, part in zip(self._metrics, scores):
            metric.update(part[chosen], labels)

    def results(self) -> list[dict[str, float | int | None]]:
        """Return the metrics of each model."""
        return [metric.result() for metric in self._metrics]

    def per_class_ap(self) -> np.ndarray:
        """Return AP float64 [M, K]."""
        return np.stack([metric.per_class_ap()[0] for metric in self._metrics])

    def positives(self) -> np.ndarray:
        """Return the number of videos of each class that count, int64 [K]."""
        return self._metrics[0].per_class_ap()[1]


def aps_from_labels(
    inputs: AlignedInputs, truth: GroundTruth, top_k: int, within: np.ndarray | None = None
) -> np.ndarray:
    """Return the AP of each input, float64 [M, K], from its top_k predictions per video.

    Args:
      inputs: the inputs.
      truth: labels of all videos.
      top_k: predictions per video that count.
      within: bool [N], the videos that count; None means all.
    """
    metrics = ModelMetrics(truth, len(inputs.inputs), inputs.num_classes, top_k, within)
    for chunk in inputs.chunks():
        metrics.update(chunk, chunk.parts)
    return metrics.per_class_ap()
