"""The numbers behind the figures, as values that JSON can hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from yt8m.analysis.label_lists import LabelLists

# The ends of the label ranges in UTS Fig. 1, over the 4716 classes of the 2017 release.
_PAPER_ENDS, _PAPER_CLASSES = (50, 1000, 3000), 4716
MOST_FREQUENT = 50  # classes of Fig. 2


def label_ranges(num_classes: int) -> list[tuple[int, int]]:
    """Return [0, 50), [0, 1000) and [3000, K) (docs/sources.md#label-figures).

    If there are at most 3000 classes, the ranges are the same fractions of K as of 4716.
    """
    top, head, tail = _PAPER_ENDS
    if num_classes <= tail:
        top, head, tail = (
            min(num_classes, max(1, round(end / _PAPER_CLASSES * num_classes)))
            for end in _PAPER_ENDS
        )
    return [(0, top), (0, head), (tail, num_classes)]


def describe(lists: LabelLists) -> dict[str, Any]:
    """Return statistics of one set of videos.

    `label_ranges` holds both readings of the paper's shares: the share of the labels that are in
    the range, and the share of the videos that have such a label.
    """
    positives, lengths = lists.positives(), lists.labels.lengths()
    seen = np.flatnonzero(positives)
    order = -np.arange(lists.num_classes)
    return {
        "videos": lists.num_videos,
        "videos_without_labels": int(np.count_nonzero(lengths == 0)),
        "label_instances": lists.num_labels,
        "labels_a_video": {
            "mean": float(lengths.mean()),
            "max": int(lengths.max()),
            "histogram": np.bincount(lengths).tolist(),
        },
        "num_classes": lists.num_classes,
        "classes_with_positives": len(seen),
        "most_frequent": by_frequency(positives)[:10],
        "fewest_positives_of_a_class_seen": int(positives[seen].min()),
        "rank_correlation_of_index_and_positives": rank_correlation(order, positives),
        "label_ranges": [_shares(lists, positives, *r) for r in label_ranges(lists.num_classes)],
        "positives": positives.tolist(),
    }


def _shares(lists: LabelLists, positives: np.ndarray, first: int, end: int) -> dict[str, Any]:
    instances, videos = int(positives[first:end].sum()), lists.videos_within(first, end)
    return {
        "first": first,
        "end": end,
        "instances": instances,
        "instance_share": instances / lists.num_labels,
        "videos": videos,
        "video_share": videos / lists.num_videos,
    }


def by_frequency(positives: np.ndarray) -> list[int]:
    """Return the classes that have positives, most frequent first, ties by index."""
    order = np.argsort(-positives, kind="stable")
    return [int(c) for c in order if positives[c] > 0]


def conditional(counts: np.ndarray) -> np.ndarray:
    """Return P(j | i) [M, M]: each row of co-occurrence counts divided by its class's positives.

    A row is 0 if its class has no positives.
    """
    own = np.diag(counts)[:, None]
    return np.where(own > 0, counts / np.maximum(own, 1), 0.0)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return Pearson's r of two matrices [M, M] off the diagonal; NaN if one is constant."""
    off = ~np.eye(len(a), dtype=bool)
    return _pearson(a[off], b[off])


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return Spearman's ρ of two rows [K]; equal values share their mean rank."""

    def ranks(x: np.ndarray) -> np.ndarray:
        _, which, counts = np.unique(x, return_inverse=True, return_counts=True)
        return (np.cumsum(counts) - (counts - 1) / 2.0)[which]

    return _pearson(ranks(np.asarray(a)), ranks(np.asarray(b)))


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    if not len(x):
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x * x).sum() * (y * y).sum())
    return float((x * y).sum() / scale) if scale > 0 else float("nan")


def cooccurrences(sets: Sequence[LabelLists], most: int = MOST_FREQUENT) -> dict[str, Any]:
    """Return the co-occurrence of the first set's most frequent classes, in one or two sets.

    Returns:
      `classes` [M]; `counts`, a matrix [M, M] per set; and for two sets the correlations between
      their matrices off the diagonal, of log(1 + counts) and of P(j | i).
    """
    classes = by_frequency(sets[0].positives())[:most]
    counts = [s.cooccurrence(classes) for s in sets]
    found: dict[str, Any] = {"classes": classes, "counts": [c.tolist() for c in counts]}
    if len(counts) == 2:
        found["correlation_of_log_counts"] = correlation(*map(np.log1p, counts))
        found["correlation_of_conditional"] = correlation(*map(conditional, counts))
    return found
