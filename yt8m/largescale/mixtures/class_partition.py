"""Division of the classes into partitions, each of which one worker trains."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

from yt8m.errors import one_of
from yt8m.runs.settings.alternation import Partitioning


def partition(
    kind: Partitioning, num_mixtures: Sequence[int], num_partitions: int
) -> list[list[int]]:
    """Return the sorted classes of each partition; every class is in exactly one.

    Source: docs/sources.md#class-partitions.

    Args:
      kind: "alike" sorts the classes by their number of experts and cuts where the experts are
        even, so that a partition has few kinds of classes, which are computed together; "balanced"
        gives each class, the largest first, to the partition with the fewest experts so far;
        "contiguous" cuts the order of the labels where the experts are even; "round_robin" deals
        the classes out in turn.
      num_mixtures: the number of experts of each class, [K].
      num_partitions: P; if there are more partitions than classes, some stay empty.

    Raises:
      ValueError: `kind` is unknown, or there is no partition.
    """
    experts = np.asarray(num_mixtures, np.int64)
    one_of("kind", kind, Partitioning)
    if num_partitions < 1:
        raise ValueError(f"num_partitions must be at least 1, not {num_partitions}")
    if kind == "balanced":
        return _balanced(experts, num_partitions)
    if kind == "round_robin":
        return [list(range(p, len(experts), num_partitions)) for p in range(num_partitions)]
    order = np.argsort(experts, kind="stable") if kind == "alike" else np.arange(len(experts))
    middle = np.cumsum(experts[order]) - experts[order] / 2  # of each class's experts
    owner = (middle * num_partitions / max(1, int(experts.sum()))).astype(np.int64)
    owner = np.minimum(owner, num_partitions - 1)
    return [sorted(order[owner == p].tolist()) for p in range(num_partitions)]


def _balanced(experts: np.ndarray, num_partitions: int) -> list[list[int]]:
    partitions: list[list[int]] = [[] for _ in range(num_partitions)]
    lightest = [(0, 0, p) for p in range(num_partitions)]  # experts, classes, partition
    for c in np.argsort(-experts, kind="stable"):
        load, size, p = heapq.heappop(lightest)
        partitions[p].append(int(c))
        heapq.heappush(lightest, (load + int(experts[c]), size + 1, p))
    return [sorted(classes) for classes in partitions]
