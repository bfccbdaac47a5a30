"""The average precision of every class, and its mean."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

# The classes over which MAP is the mean: those with a positive, or all of them.
MapClasses = Literal["positive", "all"]
_PLACES = np.int64(1 << 34)  # of pairs and whether they are positive: 8 billion


def ranked_class_average_precision(
    classes: NDArray[Any], hits: NDArray[Any], class_positives: NDArray[Any]
) -> NDArray[Any]:
    """Return the AP of each class's ranked list.

    Source: starter code, mean_average_precision_calculator; KDD eq. 7.

    Args:
      classes: int [P], the class of each pooled (video, class) pair, in descending order of score.
      hits: bool [P], whether the video has the class.
      class_positives: int [K], all positives of each class, including those in no pair.

    Returns:
      float64 [K]; 0 for a class without positives or without pairs.
    """
    positives = np.asarray(class_positives)
    places = np.arange(len(classes), dtype=np.int64) * 2 + hits
    keys = classes.astype(np.int64) * _PLACES + places
    keys.sort()  # by class, and within a class in the given order
    at = np.flatnonzero(keys & 1)  # only positives add to the sum
    hit_class = keys[at] // _PLACES
    every_class = np.arange(len(positives))
    list_start = np.searchsorted(keys, every_class * _PLACES)  # [K] where each class's list begins
    hit_start = np.searchsorted(hit_class, every_class)  # [K] where its positives begin
    rank = at - list_start[hit_class] + 1
    found = np.arange(len(at)) - hit_start[hit_class] + 1
    sums = np.bincount(hit_class, weights=found / rank, minlength=len(positives))
    return np.where(positives > 0, sums / np.maximum(positives, 1), 0.0)


def mean_average_precision(
    ap: NDArray[Any], class_positives: NDArray[Any], map_classes: MapClasses = "positive"
) -> float:
    """Return the mean AP.

    Args:
      ap: float [K].
      class_positives: int [K].
      map_classes: "positive" leaves out classes without a positive, as the starter code does since
        2019-05-31. "all" counts them as 0, for comparison with older numbers.
    """
    kept = np.asarray(ap)
    if map_classes == "positive":
        kept = kept[np.asarray(class_positives) > 0]
    return float(kept.mean()) if kept.size else 0.0
