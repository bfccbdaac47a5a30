"""All metrics of an evaluation, exact however the examples are split into batches.

Only the best `top_k` pairs of each video are kept, 7 bytes each: a million videos take 150 MB.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from yt8m.errors import UserError
from yt8m.metrics.average_precision import ranked, ranked_average_precision
from yt8m.metrics.mean_average_precision import (
    MapClasses,
    mean_average_precision,
    ranked_class_average_precision,
)
from yt8m.metrics.perr import perr_of_ranked, perr_per_video
from yt8m.metrics.top_k import top_k as best_of_rows

# (scores, classes, hits)
_Pairs = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


class BestPairs(NamedTuple):
    """The best classes of each video of a batch, in descending order of the score.

    Attributes:
      scores: float [B, k].
      classes: int [B, k].
      hits: whether the video has the class, bool [B, k].
    """

    scores: NDArray[Any]
    classes: NDArray[Any]
    hits: NDArray[Any]


class EvaluationMetrics:
    """GAP, MAP, PERR, Hit@1, Hit@5 and the mean loss over a stream of batches.

    Source: starter code, eval_util; KDD §5.1.5 (docs/sources.md#ranking-metrics). All except the
    loss are fractions in [0, 1]. Hit@k is the share of videos with a true label among their k best
    classes, where ties go to the lower class. GAP is the average precision of one list of all
    videos' best pairs; positives outside a video's best pairs reduce recall (the prefactor in KDD
    eq. 6 is a misprint).

    Args:
      num_classes: K.
      top_k: pairs of each video that enter GAP and MAP, at most K.
      map_classes: see `mean_average_precision`.
    """

    def __init__(self, num_classes: int, top_k: int = 20, map_classes: MapClasses = "positive"):
        if num_classes < 1 or top_k < 1:
            raise ValueError(
                f"num_classes and top_k must be 1 or more, not {num_classes} and {top_k}"
            )
        self.num_classes = int(num_classes)
        self.top_k = min(int(top_k), self.num_classes)
        self.map_classes: MapClasses = map_classes
        self._class_type = np.uint16 if num_classes <= 1 << 16 else np.int32
        self._chunks: list[_Pairs] = []  # each array [B, k]
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
    ) -> BestPairs:
        """Add a batch, and return its best pairs, of which there are at least 5 for each video.

        Args:
          predictions: float [B, K].
          labels: [B, K]; above 0 is positive.
          loss: float [B], the loss of each example, or None.
          weights: [B, K], by which predictions are multiplied; as in the starter code's evaluation
            of rated segments, classes that were not rated then score 0.

        Raises:
          UserError: a prediction is NaN.
          ValueError: a shape is wrong.
        """
        predictions, labels = np.asarray(predictions, np.float32), np.asarray(labels)
        expected = (*predictions.shape[:1], self.num_classes)
        if predictions.shape != expected or labels.shape != expected:
            raise ValueError(
                f"predictions and labels must be [B, {self.num_classes}],"
                f" not {predictions.shape} and {labels.shape}"
            )
        if weights is not None:
            predictions = predictions * np.asarray(weights, np.float32)  # [B, K]
        batch = len(predictions)
        if batch == 0:
            none = np.zeros((0, self.top_k))
            return BestPairs(none, none.astype(np.int64), none.astype(bool))
        positive = labels if labels.dtype == bool else labels > 0  # [B, K]
        rows, positive_classes = np.divmod(np.flatnonzero(positive), self.num_classes)
        num_labels = np.bincount(rows, minlength=batch)  # [B]

        # Hit@5 and PERR may need more than top_k pairs.
        scores, classes = best_of_rows(predictions, max(self.top_k, min(5, self.num_classes)))
        hits = np.take_along_axis(positive, classes, 1)  # [B, k']
        perr = perr_of_ranked(scores, hits, num_labels)  # [B]
        deep = np.flatnonzero(num_labels > scores.shape[1])  # rare: more labels than pairs
        if deep.size:
            perr[deep] = perr_per_video(predictions[deep], positive[deep])

        k = self.top_k
        self._chunks.append(
            (scores[:, :k].copy(), classes[:, :k].astype(self._class_type), hits[:, :k].copy())
        )
        self._class_positives += np.bincount(positive_classes, minlength=self.num_classes)
        self._num_examples += batch
        self._sums["perr"] += float(perr.sum())
        self._sums["hit_at_1"] += float(hits[:, 0].sum())
        self._sums["hit_at_5"] += float(hits[:, :5].any(axis=1).sum())
        if loss is not None:
            loss = np.asarray(loss, np.float64)
            if loss.shape != (batch,):
                raise ValueError(
                    f"loss must have a number for each example, [{batch}], not {loss.shape}"
                )
            self._sums["loss"] += float(loss.sum())
            self._num_losses += batch
        return BestPairs(scores, classes, hits)

    def result(self) -> dict[str, float | int | None]:
        """Return all metrics by name; `loss` is None if no loss was given.

        Raises:
          UserError: there was no example.
        """
        if self._num_examples == 0:
            raise UserError(
                "no example was evaluated: the data contain no record. Check --eval_data_pattern."
            )
        classes, hits = self._ranked()
        ap = ranked_class_average_precision(classes, hits, self._class_positives)
        loss = self._sums["loss"] / self._num_losses if self._num_losses else None
        return {
            "gap": ranked_average_precision(hits, int(self._class_positives.sum())),
            "map": mean_average_precision(ap, self._class_positives, self.map_classes),
            "perr": self._sums["perr"] / self._num_examples,
            "hit_at_1": self._sums["hit_at_1"] / self._num_examples,
            "hit_at_5": self._sums["hit_at_5"] / self._num_examples,
            "loss": loss,
            "num_examples": self._num_examples,
            "num_classes_with_positives": int(np.count_nonzero(self._class_positives)),
        }

    def per_class_ap(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return (AP float64 [K], positives int64 [K]); AP is 0 where there is no positive."""
        classes, hits = self._ranked()
        ap = ranked_class_average_precision(classes, hits, self._class_positives)
        return ap, self._class_positives.copy()

    def _ranked(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the (classes, hits) of all pairs, each [P], in descending order of the score."""
        if not self._chunks:
            return np.zeros(0, np.int64), np.zeros(0, bool)
        if len(self._chunks) > 1:
            scores, classes, hits = (np.concatenate(column) for column in zip(*self._chunks))
            self._chunks = [(scores, classes, hits)]
        scores, classes, hits = (column.ravel() for column in self._chunks[0])
        pairs = ranked(scores, classes.astype(np.int32) * 2 + hits)  # sorts both as one
        return pairs >> 1, (pairs & 1).astype(bool)
