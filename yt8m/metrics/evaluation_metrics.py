"""GAP, MAP, PERR and Hit@k over a whole data set, streamed in batches and mergeable over replicas and shards.

Kept are the top-k pairs of each video (score, class, whether it is a label) and counts; so 1.1
million videos take about 200 MB, and the result does not depend on how they were batched.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from yt8m.metrics.average_precision import average_precision, grouped_average_precision
from yt8m.metrics.top_labels import precision_at_equal_recall, top_k


class EvaluationMetrics:
    """Accumulates predictions; see spec B.1 for each metric.

    Args:
      num_classes: K.
      top_k: pairs a video that enter GAP and MAP.
      filter_empty_classes: leave classes without positives out of MAP (the starter code since
        2019-05-31); False counts each as 0, as both papers most likely did.
    """

    def __init__(self, num_classes: int, top_k: int = 20, filter_empty_classes: bool = True):
        self.num_classes, self.top_k, self.filter_empty_classes = num_classes, top_k, filter_empty_classes
        self._scores: List[np.ndarray] = []
        self._classes: List[np.ndarray] = []
        self._hits: List[np.ndarray] = []
        self._positives = np.zeros(num_classes, np.int64)
        self._sums = np.zeros(4)  # of PERR, Hit@1, Hit@5, loss
        self._examples = 0

    def update(
        self,
        predictions: np.ndarray,
        labels: np.ndarray,
        loss: Optional[np.ndarray] = None,
        weights: Optional[np.ndarray] = None,
    ) -> None:
        """Add a batch.

        Args:
          predictions: float [B, K].
          labels: 0 or 1 [B, K].
          loss: [B], or a mean over the batch.
          weights: [B, K], 1 where a segment was rated; predictions are multiplied by them, as in
            the starter code, so that what nobody rated counts for nothing.
        """
        predictions = np.asarray(predictions, np.float32)
        if weights is not None:
            predictions = predictions * weights
        labels = np.asarray(labels).astype(bool)
        if predictions.shape != labels.shape or predictions.shape[1] != self.num_classes:
            raise ValueError(f"predictions {predictions.shape} and labels {labels.shape} should both be [B, {self.num_classes}]")
        if not len(predictions):
            return
        counts = labels.sum(1)
        classes, scores = top_k(predictions, max(self.top_k, 5, int(counts.max())))
        hits = np.take_along_axis(labels, classes, axis=1)
        k = min(self.top_k, self.num_classes)
        self._scores.append(scores[:, :k].ravel())
        self._classes.append(classes[:, :k].ravel())
        self._hits.append(hits[:, :k].ravel())
        self._positives += labels.sum(0)
        self._sums += (
            precision_at_equal_recall(scores, hits, counts).sum(),
            hits[:, 0].sum(),
            hits[:, :5].any(1).sum(),
            0.0 if loss is None else float(np.mean(loss)) * len(labels),
        )
        self._examples += len(labels)

    def merge(self, other: "EvaluationMetrics") -> None:
        """Add what another has seen, e.g. of another shard."""
        if (other.num_classes, other.top_k) != (self.num_classes, self.top_k):
            raise ValueError("only metrics over equal classes and top_k can be merged")
        for mine, theirs in ((self._scores, other._scores), (self._classes, other._classes), (self._hits, other._hits)):
            mine.extend(theirs)
        self._positives += other._positives
        self._sums += other._sums
        self._examples += other._examples

    def _pairs(self) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        if not self._scores:
            return np.zeros(0, np.float32), np.zeros(0, np.int32), np.zeros(0, bool)
        return np.concatenate(self._scores), np.concatenate(self._classes), np.concatenate(self._hits)

    def per_class_ap(self) -> Tuple[np.ndarray, np.ndarray]:
        """Return (average precision [K], positives [K]) of the pairs that are among some video's top k."""
        scores, classes, hits = self._pairs()
        return grouped_average_precision(classes, scores, hits, self._positives), self._positives.copy()

    def result(self) -> Dict[str, Any]:
        """Return `gap, map, perr, hit_at_1, hit_at_5, loss` as fractions, `num_examples` and `num_classes_with_positives`."""
        scores, _, hits = self._pairs()
        ap, positives = self.per_class_ap()
        with_positives = positives > 0
        counted = ap[with_positives] if self.filter_empty_classes else ap
        perr, hit_1, hit_5, loss = self._sums / max(self._examples, 1)
        return {
            "gap": average_precision(scores, hits, int(positives.sum())),
            "map": float(counted.mean()) if len(counted) else 0.0,
            "perr": float(perr),
            "hit_at_1": float(hit_1),
            "hit_at_5": float(hit_5),
            "loss": float(loss),
            "num_examples": int(self._examples),
            "num_classes_with_positives": int(with_positives.sum()),
        }
