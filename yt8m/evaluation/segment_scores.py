"""What a submission of five-second segments would score on rated ones: ranked per class as inference ranks them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from yt8m.metrics.segment_map import segment_map
from yt8m.metrics.segment_ranking import MAX_PER_CLASS, SegmentRanking

Ratings = dict[
    int, dict[str, float]
]  # class -> {`<video>:<start>`: rating, above 0 where positive}


def both_means(lists: Iterable[tuple[int, Sequence[str]]], ratings: Ratings) -> dict[str, Any]:
    """Return the segment MAP of ranked lists under both definitions, each over classes with a positive rating.

    A class without a positive has no AP: it is left out, where the starter code fails.

    Args:
      lists: (class, segments from the surest down), cut to their limit already.
      ratings: all of them.

    Returns:
      `segment_map`: the starter code's mean, over the classes that have a list; `num_segment_map_classes`: how many these
      are; `segment_map_all_classes`: Kaggle's mean, over all, where a class without a list counts 0;
      `num_segment_map_positive_classes`: how many these are.
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
    """Segment MAP of a stream of batches of rated segments.

    Source: starter code, segment_eval_inference (spec B.1), on the ranking that `SegmentCsvWriter` would write of the same
    segments.

    Args:
      whitelist: classes that are asked for, or None for all.
      top_k: classes of each segment that take part.
      max_per_class: segments of a class at most, cut off before those without a rating for it are removed; 0 is the challenge's.

    Raises:
      UserError: a limit below 1.
    """

    def __init__(
        self, whitelist: Sequence[int] | None = None, top_k: int = 20, max_per_class: int = 0
    ):
        self._ranking = SegmentRanking(whitelist, top_k, max_per_class or MAX_PER_CLASS)
        self._asked: set[int] | None = None if whitelist is None else {int(c) for c in whitelist}
        self._ratings: Ratings = {}

    def update(self, batch: dict[str, Any], predictions: np.ndarray) -> None:
        """Add a batch with `id` [S], `labels` and `weights` [S, K], and what was predicted of it, [S, K]."""
        ids = [i.decode("utf-8", "replace") for i in batch["id"].numpy()]
        labels = batch["labels"].numpy()
        self._ranking.add(ids, predictions)
        for row, label in zip(*np.nonzero(batch["weights"].numpy())):
            if self._asked is None or label in self._asked:
                self._ratings.setdefault(int(label), {})[ids[row]] = float(labels[row, label])

    def result(self) -> dict[str, Any]:
        """Return what `both_means` returns; a list is of what is among any segment's best."""
        return both_means(self._ranking.lists(), self._ratings)
