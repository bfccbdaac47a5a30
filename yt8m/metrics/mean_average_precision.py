"""Average precision of every class at once, and its mean, with a stated policy for classes without positives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m.metrics.average_precision import descending_order


def per_class_average_precision(
    scores: NDArray[Any], classes: NDArray[Any], hits: NDArray[Any], class_positives: NDArray[Any]
) -> NDArray[Any]:
    """Return AP [K] of each class's ranked list.

    Source: starter code, mean_average_precision_calculator; KDD'19 paper, eq. 7.

    Args:
      scores: float [P], pooled (video, class) pairs.
      classes: int [P], the class of each pair.
      hits: bool [P].
      class_positives: int [K], all positives of each class, also those in no pair.

    Returns:
      float64 [K]; 0 for a class without positives or without pairs.
    """
    order = descending_order(np.asarray(scores))
    return ranked_class_average_precision(
        np.asarray(classes)[order], np.asarray(hits)[order], class_positives
    )


def ranked_class_average_precision(
    classes: NDArray[Any], hits: NDArray[Any], class_positives: NDArray[Any]
) -> NDArray[Any]:
    """As `per_class_average_precision`, for pairs that are already in descending order of score."""
    positives = np.asarray(class_positives)
    by_class = np.argsort(classes, kind="stable")  # keeps the descending order within a class
    classes, hits = classes[by_class], hits[by_class]
    at = np.flatnonzero(hits)  # only positives add to the sum
    hit_class = classes[at].astype(np.int64)
    list_start = np.searchsorted(
        classes, np.arange(len(positives))
    )  # [K] where a class's list begins
    hit_start = np.searchsorted(
        hit_class, np.arange(len(positives))
    )  # [K] where its positives begin
    rank = at - list_start[hit_class] + 1
    found = np.arange(len(at)) - hit_start[hit_class] + 1
    sums = np.bincount(hit_class, weights=found / rank, minlength=len(positives))
    return np.where(positives > 0, sums / np.maximum(positives, 1), 0.0)


def mean_average_precision(
    ap: NDArray[Any], class_positives: NDArray[Any], filter_empty_classes: bool = True
) -> float:
    """Return the mean of `ap` [K].

    Args:
      ap: float [K].
      class_positives: int [K].
      filter_empty_classes: leave out classes without a positive, as the starter code does since
        2019-05-31. False keeps them as 0, for comparison with older numbers.
    """
    kept = (
        np.asarray(ap)[np.asarray(class_positives) > 0] if filter_empty_classes else np.asarray(ap)
    )
    return float(kept.mean()) if kept.size else 0.0
