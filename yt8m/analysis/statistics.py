"""The numbers behind the figures, as plain values that JSON takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from yt8m.analysis.label_lists import LabelLists

# UTS Fig. 1 names these ends of label ranges, over the 4716 classes of the 2017 release.
_PAPER_ENDS, _PAPER_CLASSES = (50, 1000, 3000), 4716
MOST_FREQUENT = 50  # classes of Fig. 2


def label_ranges(num_classes: int) -> list[tuple[int, int]]:
    """Return [0, 50), [0, 1000) and [3000, K), or the same parts of K where K does not reach so far (spec C.17)."""
    top, head, tail = _PAPER_ENDS
    if num_classes <= tail:
        top, head, tail = (
            min(num_classes, max(1, round(end / _PAPER_CLASSES * num_classes)))
            for end in _PAPER_ENDS
        )
    return [(0, top), (0, head), (tail, num_classes)]


def describe(lists: LabelLists) -> dict[str, Any]:
    """Return what one set of videos holds.

    `label_ranges` gives both readings of the paper's shares: of the label instances, and of the
    videos, those that have at least one label in the range.
    """
    positives, each = lists.positives(), lists.each()
    seen = np.flatnonzero(positives)
    ranges = []
    for first, end in label_ranges(lists.num_classes):
        instances, videos = int(positives[first:end].sum()), lists.videos_within(first, end)
        ranges.append(
            {
                "first": first,
                "end": end,
                "instances": instances,
                "instance_share": instances / len(lists.labels),
                "videos": videos,
                "video_share": videos / lists.num_videos,
            }
        )
    return {
        "videos": lists.num_videos,
        "videos_without_labels": int(np.count_nonzero(each == 0)),
        "label_instances": len(lists.labels),
        "labels_a_video": {
            "mean": float(each.mean()),
            "max": int(each.max()),
            "histogram": np.bincount(each).tolist(),
        },
        "num_classes": lists.num_classes,
        "classes_with_positives": len(seen),
        "most_frequent": by_frequency(positives)[:10],
        "fewest_positives_of_a_class_seen": int(positives[seen].min()),
        "rank_correlation_of_index_and_positives": rank_correlation(
            -np.arange(lists.num_classes), positives
        ),
        "label_ranges": ranges,
        "positives": positives.tolist(),
    }


def by_frequency(positives: np.ndarray) -> list[int]:
    """Return the classes that have positives, the most frequent first, equal ones by index."""
    order = np.argsort(-positives, kind="stable")
    return [int(c) for c in order if positives[c] > 0]


def conditional(counts: np.ndarray) -> np.ndarray:
    """Return P(j | i), each row of co-occurrence counts [M, M] divided by its class's positives; 0 where it has none."""
    own = np.diag(counts)[:, None]
    return np.where(own > 0, counts / np.maximum(own, 1), 0.0)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return Pearson's r of two matrices [M, M] over the entries off the diagonal; nan where one does not vary."""
    off = ~np.eye(len(a), dtype=bool)
    if len(a) < 2:
        return float("nan")
    x, y = a[off] - a[off].mean(), b[off] - b[off].mean()
    scale = np.sqrt((x * x).sum() * (y * y).sum())
    return float((x * y).sum() / scale) if scale > 0 else float("nan")


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return Spearman's ρ of two rows [K], equal values sharing their mean rank."""

    def ranks(x: np.ndarray) -> np.ndarray:
        _, which, counts = np.unique(x, return_inverse=True, return_counts=True)
        return (np.cumsum(counts) - (counts - 1) / 2.0)[which]

    x, y = ranks(np.asarray(a)), ranks(np.asarray(b))
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x * x).sum() * (y * y).sum())
    return float((x * y).sum() / scale) if scale > 0 else float("nan")


def cooccurrences(sets: Sequence[LabelLists], most: int = MOST_FREQUENT) -> dict[str, Any]:
    """Return the co-occurrence of the first set's most frequent classes, in each of one or two sets.

    Returns:
      `classes` [M], `counts` (a matrix [M, M] a set), and for two sets the correlations between
      their matrices off the diagonal: of log(1 + counts), and of P(j | i).
    """
    classes = by_frequency(sets[0].positives())[:most]
    counts = [s.cooccurrence(classes) for s in sets]
    found: dict[str, Any] = {"classes": classes, "counts": [c.tolist() for c in counts]}
    if len(counts) == 2:
        found["correlation_of_log_counts"] = correlation(*(np.log1p(c) for c in counts))
        found["correlation_of_conditional"] = correlation(*(conditional(c) for c in counts))
    return found
