"""All metrics of an evaluation, exact however the examples are split into batches and parts.

Only the best `top_k` pairs of each video are kept, 7 bytes each, and its loss and PERR: a million
videos take 160 MB.
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


class _Chunk(NamedTuple):
    """What is kept of some videos: their best pairs, each [B, k], and their numbers.

    The numbers are added only in the end, because the last digit of a sum depends on its order.
    """

    scores: NDArray[Any]
    classes: NDArray[Any]
    hits: NDArray[Any]
    perr: NDArray[Any]  # float64 [B]
    losses: NDArray[Any]  # float64 [B], or [0] if none was given


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
        self._chunks: list[_Chunk] = []
        self._class_positives = np.zeros(self.num_classes, np.int64)
        self._num_examples = 0
        self._found = {"hit_at_1": 0, "hit_at_5": 0}  # videos with a hit

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

        losses = np.array([] if loss is None else loss, np.float64)
        if loss is not None and losses.shape != (batch,):
            raise ValueError(
                f"loss must have a number for each example, [{batch}], not {losses.shape}"
            )
        k = self.top_k
        kept = (scores[:, :k].copy(), classes[:, :k].astype(self._class_type), hits[:, :k].copy())
        self._chunks.append(_Chunk(*kept, perr, losses))
        self._class_positives += np.bincount(positive_classes, minlength=self.num_classes)
        self._num_examples += batch
        self._found["hit_at_1"] += int(np.count_nonzero(hits[:, 0]))
        self._found["hit_at_5"] += int(np.count_nonzero(hits[:, :5].any(axis=1)))
        return BestPairs(scores, classes, hits)

    def merge(self, other: EvaluationMetrics) -> None:
        """Add what another object has seen, as if its batches had been added here.

        Parts of a data set that are merged in its order give what one object gives that has seen
        all of it, to the last bit, wherever the parts are cut.

        Args:
          other: metrics of equally many classes and pairs; it is not changed.

        Raises:
          ValueError: the numbers of classes or pairs differ.
        """
        mine, theirs = ((m.num_classes, m.top_k) for m in (self, other))
        if mine != theirs:
            raise ValueError(f"metrics of (classes, pairs) {theirs} were merged into {mine}")
        self._chunks += other._chunks
        self._class_positives += other._class_positives
        self._num_examples += other._num_examples
        for name, count in other._found.items():
            self._found[name] += count

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
        kept, count = self._kept(), self._num_examples
        return {
            "gap": ranked_average_precision(hits, int(self._class_positives.sum())),
            "map": mean_average_precision(ap, self._class_positives, self.map_classes),
            "perr": float(kept.perr.sum()) / count,
            **{name: found / count for name, found in self._found.items()},
            "loss": float(kept.losses.sum()) / len(kept.losses) if len(kept.losses) else None,
            "num_examples": count,
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
        scores, classes, hits = (column.ravel() for column in self._kept()[:3])
        pairs = ranked(scores, classes.astype(np.int32) * 2 + hits)  # sorts both as one
        return pairs >> 1, (pairs & 1).astype(bool)

    def _kept(self) -> _Chunk:
        """Return all chunks as one; there is at least one."""
        if len(self._chunks) > 1:
            self._chunks = [_Chunk(*(np.concatenate(column) for column in zip(*self._chunks)))]
        return self._chunks[0]


def merged(total: EvaluationMetrics | None, part: EvaluationMetrics) -> EvaluationMetrics:
    """Add `part` to `total` in place; None starts a new total (`executors.base.Combine`)."""
    if total is None:
        total = EvaluationMetrics(part.num_classes, part.top_k, part.map_classes)
    total.merge(part)
    return total
