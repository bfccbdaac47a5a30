"""The fusion itself: chunks of rows of every input in, weighted sums out, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from yt8m.errors import UserError
from yt8m.fusion.align import align_ids
from yt8m.metrics.evaluation_metrics import EvaluationMetrics


class Chunk(NamedTuple):
    """Some videos: their places in the first input's order, ids, and each model's scores float32 [n, K]."""

    rows: np.ndarray
    ids: list[str]
    parts: list[np.ndarray]


class AlignedInputs:
    """Inputs of one set of videos, read side by side in the order of the first.

    Args:
      sources: see `yt8m.fusion.inputs`.
      num_classes: K.
      chunk_size: videos read at a time.

    Raises:
      UserError: the inputs hold different videos.
    """

    def __init__(self, sources: Sequence[Any], num_classes: int, chunk_size: int = 1024):
        self.sources, self.num_classes, self.chunk_size = list(sources), num_classes, chunk_size
        first = self.sources[0]
        self.ids: list[str] = list(first.ids)
        self._orders: list[np.ndarray | None] = [None] + [
            align_ids(self.ids, s.ids, first.name, s.name) for s in self.sources[1:]
        ]

    def chunks(self) -> Iterator[Chunk]:
        """Yield every video once."""
        for start in range(0, len(self.ids), self.chunk_size):
            rows = np.arange(start, min(start + self.chunk_size, len(self.ids)))
            parts = [
                source.rows(rows if order is None else order[rows], self.num_classes)
                for source, order in zip(self.sources, self._orders)
            ]
            yield Chunk(rows, self.ids[start : start + self.chunk_size], parts)


def weighted_sum(parts: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Return float32 [n, K], the sum over models of `weights[i]` [K] times `parts[i]` [n, K].

    Raises:
      UserError: a score is not a finite number.
    """
    fused = np.zeros_like(parts[0], np.float32)
    for part, weight in zip(parts, np.asarray(weights, np.float32)):
        fused += part * weight
    if not np.isfinite(fused).all():
        raise UserError(
            "an input holds scores that are not finite numbers (NaN or infinite); predict them again."
        )
    return fused


def bounded(weights: np.ndarray) -> np.ndarray:
    """Return weights [M, K] divided by one constant, so that fused probabilities stay within [0, 1].

    One constant for all classes changes no rank, hence neither GAP nor MAP.
    """
    return weights / max(1.0, float(weights.sum(axis=0).max(initial=0.0)))


def aps_from_labels(
    inputs: AlignedInputs, truth: Any, top_k: int, within: np.ndarray | None = None
) -> np.ndarray:
    """Return AP float64 [M, K] of every input on the videos `within` (bool [N]; None: all), from their top_k pairs."""
    metrics = [EvaluationMetrics(inputs.num_classes, top_k) for _ in inputs.sources]
    for chunk in inputs.chunks():
        chosen = slice(None) if within is None else within[chunk.rows]
        labels = truth.multi_hot(np.asarray(chunk.ids, object)[chosen], inputs.num_classes)
        for metric, part in zip(metrics, chunk.parts):
            metric.update(part[chosen], labels)
    return np.stack([metric.per_class_ap()[0] for metric in metrics])
