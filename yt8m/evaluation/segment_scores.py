"""Segment MAP: the score of a submission of five-second segments, computed on rated segments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from yt8m.evaluation.evaluate import Pairs
from yt8m.metrics.segment_map import segment_map
from yt8m.metrics.segment_ranking import MAX_PER_CLASS, SegmentRanking

# class -> {`<video>:<start>`: rating}; a rating above 0 is positive.
Ratings = dict[int, dict[str, float]]


def both_means(lists: Iterable[tuple[int, Sequence[str]]], ratings: Ratings) -> dict[str, Any]:
    """Return the segment MAP of ranked lists by two definitions.

    Classes without a positive rating have no AP and are left out; the starter code fails on them.

    Args:
      lists: (class, segments from best to worst), already cut to their maximal length.
      ratings: all ratings.

    Returns:
      `segment_map`, the starter code's mean, over the classes that have a list;
      `num_segment_map_classes`, the number of these classes; `segment_map_all_classes`, Kaggle's
      mean, over all classes, where a class without a list counts as 0; and
      `num_segment_map_positive_classes`, the number of those.
    """
    positive = {label for label, rated in ratings.items() if any(r > 0 for r in rated.values())}
    mean, ap = segment_map(((c, listed) for c, listed in lists if c in positive), ratings)
    return {
        "segment_map": mean,
        "num_segment_map_classes": len(ap),
        "segment_map_all_classes": sum(ap.values()) / max(len(positive), 1),
        "num_segment_map_positive_classes": len(positive),
    }


class SegmentScores:
    """Segment MAP over a stream of batches of rated segments.

    Source: starter code, segment_eval_inference (docs/sources.md#segment-map), applied to the
    ranking that `SegmentCsvWriter` would write for the same segments.

    Args:
      whitelist: classes to rank; None means all.
      top_k: number of best classes of each segment in whose rankings it takes part.
      max_per_class: maximum number of segments per class, cut before unrated ones are removed; 0
        means the challenge's limit.

    Raises:
      UserError: a limit is below 1.
    """

    def __init__(
        self, whitelist: Sequence[int] | None = None, top_k: int = 20, max_per_class: int = 0
    ):
        self._ranking = SegmentRanking(whitelist, top_k, max_per_class or MAX_PER_CLASS)
        self._asked: set[int] | None = None if whitelist is None else set(whitelist)
        self._ratings: Ratings = {}

    def watch(self, pairs: Pairs) -> Pairs:
        """Yield `pairs` unchanged, and add each of them."""
        for batch, predictions in pairs:
            self.update(batch, predictions)
            yield batch, predictions

    def update(self, batch: dict[str, Any], predictions: np.ndarray) -> None:
        """Add a batch.

        Args:
          batch: `id` [S], `labels` and `weights` [S, K].
          predictions: [S, K].
        """
        ids = [i.decode("utf-8", "replace") for i in batch["id"].numpy()]
        labels = batch["labels"].numpy()
        self._ranking.add(ids, predictions)
        for row, label in zip(*np.nonzero(batch["weights"].numpy())):
            if self._asked is None or label in self._asked:
                self._ratings.setdefault(int(label), {})[ids[row]] = float(labels[row, label])

    def result(self) -> dict[str, Any]:
        """Return the result of `both_means`."""
        return both_means(self._ranking.lists(), self._ratings)
