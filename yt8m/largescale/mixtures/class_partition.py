"""Which classes are trained together: partitions of the classes for workers, or for one machine's memory."""

from __future__ import annotations

import dataclasses
import heapq
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

KINDS = ("alike", "balanced", "contiguous", "round_robin", "ordered", "random")


@dataclasses.dataclass(frozen=True)
class ClassPartition:
    """Disjoint parts of the classes; kept with a run, because the weights of a part mean nothing without it.

    Attributes:
      num_classes: K.
      parts: the sorted classes of each part; a part may be empty where there are more parts than classes.
    """

    num_classes: int
    parts: list[list[int]]

    def __post_init__(self) -> None:
        """Check that every class is in exactly one part."""
        if sorted(c for part in self.parts for c in part) != list(range(self.num_classes)):
            raise ValueError(
                f"the parts do not hold each of the {self.num_classes} classes exactly once"
            )

    def to_json(self) -> str:
        """Return text that `from_json` reads."""
        return json.dumps(dataclasses.asdict(self)) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ClassPartition:
        """Read what `to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        return cls(**values)

    def work(self, num_mixtures: Sequence[int]) -> np.ndarray:
        """Return the experts of each part [P], given those of each class [K]."""
        counts = np.asarray(num_mixtures)
        return np.asarray([counts[part].sum() if part else 0 for part in self.parts], np.int64)


def partition(
    kind: str, num_mixtures: Sequence[int], num_parts: int, seed: int = 0
) -> ClassPartition:
    """Return `num_parts` parts of the classes (spec D.6).

    Args:
      kind: "alike" puts classes with equally many experts side by side and cuts where the experts are even, so that
        a part has few kinds of classes, which are computed together; "balanced" gives each class, the largest first,
        to the part with the fewest experts so far; "contiguous" cuts the label order where the experts are even;
        "ordered" into windows of equally many classes (UTS' groups); "round_robin" deals classes out in turn; "random" draws equally many
        by `seed`.
      num_mixtures: experts of each class [K].
      num_parts: P; more than classes is legal, and leaves parts empty.
      seed: of "random".

    Raises:
      ValueError: another kind, or no part.
    """
    counts = np.asarray(num_mixtures, np.int64)
    classes = len(counts)
    if kind not in KINDS or num_parts < 1:
        raise ValueError(
            f"kind is one of {', '.join(KINDS)} and num_parts at least 1, not {kind!r} and {num_parts}"
        )
    if kind == "balanced":
        parts = _balanced(counts, num_parts)
    elif kind == "round_robin":
        parts = [list(range(start, classes, num_parts)) for start in range(num_parts)]
    elif kind in ("alike", "contiguous"):
        order = np.argsort(counts, kind="stable") if kind == "alike" else np.arange(classes)
        before = np.cumsum(counts[order]) - counts[order] / 2  # the middle of each class's experts
        owner = np.minimum(
            (before * num_parts / max(1, counts.sum())).astype(np.int64), num_parts - 1
        )
        parts = [sorted(order[owner == p].tolist()) for p in range(num_parts)]
    else:
        order = (
            np.arange(classes)
            if kind == "ordered"
            else np.random.Generator(np.random.PCG64(seed)).permutation(classes)
        )
        size = -(-classes // num_parts)
        parts = [sorted(order[p * size : (p + 1) * size].tolist()) for p in range(num_parts)]
    return ClassPartition(classes, parts)


def _balanced(counts: np.ndarray, num_parts: int) -> list[list[int]]:
    parts: list[list[int]] = [[] for _ in range(num_parts)]
    lightest = [(0, 0, p) for p in range(num_parts)]  # experts, classes, part
    for c in np.argsort(-counts, kind="stable"):
        experts, size, p = heapq.heappop(lightest)
        parts[p].append(int(c))
        heapq.heappush(lightest, (experts + int(counts[c]), size + 1, p))
    return [sorted(part) for part in parts]
