"""All numbers of an evaluation, streamed: exact over the whole set, in any split into batches and workers.

Of every video only the best `top_k` pairs are kept (7 bytes each), so a million videos take 150 MB.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.errors import UserError
from yt8m.metrics.average_precision import descending_order, ranked_average_precision
from yt8m.metrics.hit_at_k import hits_of_ranked
from yt8m.metrics.mean_average_precision import (
    mean_average_precision,
    ranked_class_average_precision,
)
from yt8m.metrics.perr import perr_of_ranked, perr_per_video
from yt8m.metrics.top_k import top_k as best_of_rows


class EvaluationMetrics:
    """GAP, MAP, PERR, Hit@1, Hit@5 and the mean loss of a stream of batches.

    Source: starter code, eval_util; KDD'19 paper, section 5.1.5. All are fractions in [0, 1].

    Args:
      num_classes: K.
      top_k: pairs of each video that enter GAP and MAP; clamped to K.
      filter_empty_classes: leave classes without positives out of MAP (the starter code since
        2019-05-31); False counts them as 0.
    """

    def __init__(self, num_classes: int, top_k: int = 20, filter_empty_classes: bool = True):
        if num_classes < 1 or top_k < 1:
            raise ValueError(f"num_classes and top_k are at least 1, not {num_classes} and {top_k}")
        self.num_classes = int(num_classes)
        self.top_k = min(int(top_k), self.num_classes)
        self.filter_empty_classes = filter_empty_classes
        self._class_type = np.uint16 if num_classes <= 1 << 16 else np.int32
        self._chunks: list[
            tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
        ] = []  # (scores, classes, hits), each [B, k]
        self._class_positives = np.zeros(self.num_classes, np.int64)
        self._num_examples = 0
        self._sums = {"perr": 0.0, "hit_at_1": 0.0, "hit_at_5": 0.0, "loss": 0.0}
        self._num_losses = 0

    def update(
        self,
        predictions: NDArray[Any],
        labels: NDArray[Any],
        loss: NDArray[Any] | None = None,
        weights: NDArray[Any] | None = None,
    ) -> None:
        """Add a batch.

        Args:
          predictions: float [B, K].
          labels: [B, K]; above 0 is positive.
          loss: float [B], one an example; or None.
          weights: [B, K]; predictions are multiplied by them, as the starter code does with rated
            segments: what was not rated scores 0.

        Raises:
          UserError: a prediction is NaN.
          ValueError: shapes do not fit.
        """
        predictions, labels = np.asarray(predictions, np.float32), np.asarray(labels)
        if (
            predictions.ndim != 2
            or predictions.shape[1] != self.num_classes
            or labels.shape != predictions.shape
        ):
            raise ValueError(
                f"predictions and labels are [B, {self.num_classes}], not {predictions.shape} and {labels.shape}"
            )
        if weights is not None:
            predictions = predictions * np.asarray(weights, np.float32)  # [B, K]
        batch = len(predictions)
        if batch == 0:
            return
        positive = labels if labels.dtype == bool else labels > 0  # [B, K]
        rows, positive_classes = np.divmod(np.flatnonzero(positive), self.num_classes)
        num_labels = np.bincount(rows, minlength=batch)  # [B]

        # Hit@5 and PERR may look further down than top_k.
        scores, classes = best_of_rows(predictions, max(self.top_k, min(5, self.num_classes)))
        hits = np.take_along_axis(positive, classes, 1)  # [B, k']
        perr = perr_of_ranked(scores, hits, num_labels)  # [B]
        deep = np.flatnonzero(num_labels > scores.shape[1])  # rare: more labels than kept pairs
        if deep.size:
            perr[deep] = perr_per_video(predictions[deep], positive[deep])

        k = self.top_k
        self._chunks.append(
            (scores[:, :k].copy(), classes[:, :k].astype(self._class_type), hits[:, :k].copy())
        )
        self._class_positives += np.bincount(positive_classes, minlength=self.num_classes)
        self._num_examples += batch
        self._sums["perr"] += float(perr.sum())
        self._sums["hit_at_1"] += float(hits_of_ranked(hits, 1).sum())
        self._sums["hit_at_5"] += float(hits_of_ranked(hits, 5).sum())
        if loss is not None:
            loss = np.asarray(loss, np.float64)
            if loss.shape != (batch,):
                raise ValueError(f"loss is one number an example, [{batch}], not {loss.shape}")
            self._sums["loss"] += float(loss.sum())
            self._num_losses += batch

    def merge(self, other: EvaluationMetrics) -> None:
        """Add all that `other` has seen, e.g. on another worker; `other` stays as it is."""
        mine = (self.num_classes, self.top_k, self.filter_empty_classes)
        theirs = (other.num_classes, other.top_k, other.filter_empty_classes)
        if mine != theirs:
            raise ValueError(
                f"cannot merge metrics of (classes, top_k, filter_empty_classes) {mine} and {theirs}"
            )
        self._chunks.extend(other._chunks)  # chunks are never changed in place
        self._class_positives += other._class_positives
        self._num_examples += other._num_examples
        self._num_losses += other._num_losses
        for name, value in other._sums.items():
            self._sums[name] += value

    def result(self) -> dict[str, float | int | None]:
        """Return every number; `loss` is None where no loss was given.

        Raises:
          UserError: no example was seen.
        """
        if self._num_examples == 0:
            raise UserError(
                "no example was evaluated: the data hold no record. Check --eval_data_pattern."
            )
        _, classes, hits = self._ranked()
        ap = ranked_class_average_precision(classes, hits, self._class_positives)
        loss = self._sums["loss"] / self._num_losses if self._num_losses else None
        return {
            "gap": ranked_average_precision(hits, int(self._class_positives.sum())),
            "map": mean_average_precision(ap, self._class_positives, self.filter_empty_classes),
            "perr": self._sums["perr"] / self._num_examples,
            "hit_at_1": self._sums["hit_at_1"] / self._num_examples,
            "hit_at_5": self._sums["hit_at_5"] / self._num_examples,
            "loss": loss,
            "num_examples": self._num_examples,
            "num_classes_with_positives": int(np.count_nonzero(self._class_positives)),
        }

    def per_class_ap(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return (AP float64 [K], positives int64 [K]); AP is 0 where there is no positive."""
        _, classes, hits = self._ranked()
        ap = ranked_class_average_precision(classes, hits, self._class_positives)
        return ap, self._class_positives.copy()

    def _ranked(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return all pairs (scores, classes, hits), each [P], in descending order of score."""
        if not self._chunks:
            return np.zeros(0, np.float32), np.zeros(0, self._class_type), np.zeros(0, bool)
        if len(self._chunks) > 1:
            self._chunks = [tuple(np.concatenate(column) for column in zip(*self._chunks))]
        scores, classes, hits = (column.ravel() for column in self._chunks[0])
        order = descending_order(scores)
        return scores[order], classes[order], hits[order]
