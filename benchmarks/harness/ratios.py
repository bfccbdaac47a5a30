"""Ratios of two contenders, taken within a round, so that a machine whose speed drifts cancels."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence

from benchmarks.harness.benchmark import METRICS, Comparison

Rounds = Mapping[int, Mapping[str, Mapping[str, float]]]


@dataclasses.dataclass(frozen=True)
class Spread:
    """The median, the lowest and the highest of some numbers."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Spread | None:
        """Return the spread, or None if there are no numbers."""
        if not numbers:
            return None
        return cls(statistics.median(numbers), min(numbers), max(numbers))


def values(rounds: Rounds, contender: str, metric: str) -> dict[int, float]:
    """Return a contender's values of a metric by round; rounds without it are left out."""
    return {
        number: measured[contender][metric]
        for number, measured in sorted(rounds.items())
        if metric in measured.get(contender, {})
    }


def ratios(rounds: Rounds, comparison: Comparison) -> list[float]:
    """Return how many times better `of` is than `beside`, for each round that has both."""
    own_metric, other_metric = comparison.metrics
    ours = values(rounds, comparison.of, own_metric)
    theirs = values(rounds, comparison.beside, other_metric)
    more_is_better = METRICS[own_metric][1]
    return [
        ours[n] / theirs[n] if more_is_better else theirs[n] / ours[n] for n in ours if n in theirs
    ]


def is_met(comparison: Comparison, reached: float) -> bool:
    """Return whether a goal is met by a median ratio, or by a median value with no rival."""
    return reached >= comparison.goal if comparison.beside else reached <= comparison.goal
