"""The standings: the results of a contest by model, over their seeds, best first."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from yt8m.papers.results import Result
from yt8m.papers.verdicts import Noise, pooled


def ranked(results: Iterable[Result], metric: str) -> list[Result]:
    """Return the results that have metrics, best first."""
    measured = [r for r in results if "failed" not in r]
    return sorted(measured, key=lambda r: (-r["metrics"][metric], r["model"]))


@dataclasses.dataclass(frozen=True)
class Standing:
    """What the runs of a model on one data set give.

    Attributes:
      model: name of the model.
      runs: its measured runs that had the same limit, the longest; by seed.
      failed: why it failed, if no run was measured; else "".
    """

    model: str
    runs: tuple[Result, ...] = ()
    failed: str = ""

    def values(self, metric: str) -> list[float]:
        """Return a metric of each run."""
        return [float(r["metrics"][metric]) for r in self.runs]

    def mean(self, metric: str) -> float:
        """Return the mean of a metric over the runs."""
        return statistics.fmean(self.values(metric))

    def spread(self, metric: str) -> float | None:
        """Return the standard deviation of a metric over the seeds; None for a single one."""
        values = self.values(metric)
        return statistics.stdev(values) if len(values) > 1 else None

    def cost(self, key: str) -> float | None:
        """Return the median of a number over the runs, or None if it is not known."""
        known: list[Any] = [r[key] for r in self.runs if r.get(key)]
        return statistics.median(known) if known else None


def standings(
    results: Iterable[Result], contest: str, metric: str, models: Sequence[str]
) -> list[Standing]:
    """Return one standing per model: measured ones best first, then failed, then not run.

    Args:
      results: stored results.
      contest: name of the contest.
      metric: what ranks the models.
      models: models that are shown even without a result.
    """
    by_model: dict[str, list[Result]] = {model: [] for model in models}
    for r in results:
        if r["contest"] == contest:
            by_model.setdefault(r["model"], []).append(r)
    found = [_standing(model, by_model[model]) for model in sorted(by_model)]
    measured = sorted((s for s in found if s.runs), key=lambda s: -s.mean(metric))
    failed = [s for s in found if s.failed]
    return measured + failed + [s for s in found if not s.runs and not s.failed]


def _standing(model: str, results: Sequence[Result]) -> Standing:
    measured = sorted((r for r in results if "failed" not in r), key=lambda r: r["seed"])
    if not measured:
        return Standing(model, failed=results[0]["failed"] if results else "")
    longest = max(r["limit_minutes"] for r in measured)
    alike = (r for r in measured if not r["stopped"] or r["limit_minutes"] == longest)
    return Standing(model, tuple(alike))


def noise(found: Iterable[Standing], metric: str) -> Noise:
    """Return the noise of a contest's metric, pooled over the models with several seeds."""
    return pooled([s.values(metric) for s in found])
