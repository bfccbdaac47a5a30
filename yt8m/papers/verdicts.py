"""Verdicts on the papers' claims: differences compared with the noise of a run."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from yt8m.papers.claims import CLAIMS, Claim, Kind
from yt8m.papers.results import Result

SEEN, NOT_SEEN, WITHIN = "seen", "not seen", "within the noise"
UNTESTABLE, NOT_RUN = "not testable here", "not run yet"

# Assumed where no row was run with several seeds on a data set.
ASSUMED_SD = 0.002
# Student's t for 1, 2, ... degrees of freedom, two-sided at 5 %; see `student`.
_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


@dataclasses.dataclass(frozen=True)
class Noise:
    """How much a number varies from run to run.

    Attributes:
      sd: standard deviation over seeds, pooled over the rows that were repeated.
      runs: number of runs that it was estimated from; 0 if it is assumed.
      freedom: degrees of freedom of that estimate: the runs less the rows. An assumed one is taken
        as known.
    """

    sd: float
    runs: int
    freedom: int = 0

    def margin(self, seeds: int = 1) -> float:
        """Return the difference of two rows that is noise in 19 cases of 20.

        It is Student's t times the standard error of the difference, so an estimate from few runs
        gives a wide margin.

        Args:
          seeds: runs that each row's number is the mean of.
        """
        return student(self.freedom) * self.sd * math.sqrt(2.0 / seeds)


def student(freedom: int) -> float:
    """Return Student's t, two-sided at 5 %; for 0 degrees of freedom the normal distribution's."""
    if 0 < freedom <= len(_STUDENT):
        return _STUDENT[freedom - 1]
    normal = 1.96
    return normal + 2.372 / freedom + 2.822 / freedom**2 if freedom else normal  # within 0.003


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The mark of a claim on one data set.

    Attributes:
      claim: the claim.
      data: name of the data set.
      mark: one of `SEEN`, `NOT_SEEN`, `WITHIN`, `UNTESTABLE` and `NOT_RUN`.
      numbers: the numbers behind the mark, or the reason why there are none.
      margin: the difference that counts as noise.
    """

    claim: Claim
    data: str
    mark: str
    numbers: str
    margin: float = 0.0


def noise_of(results: Iterable[Result], data: str, metric: str) -> Noise:
    """Return the noise of a metric on a data set, from the rows run there with several seeds."""
    return pooled(_by_row(results, data, metric).values())


def pooled(repeated: Iterable[Sequence[float]]) -> Noise:
    """Return the noise of numbers that come in groups, each of one setting with several seeds."""
    squares, freedom, runs = 0.0, 0, 0
    for values in repeated:
        if len(values) > 1:
            mean = sum(values) / len(values)
            squares += sum((v - mean) ** 2 for v in values)
            freedom += len(values) - 1
            runs += len(values)
    return Noise(math.sqrt(squares / freedom), runs, freedom) if freedom else Noise(ASSUMED_SD, 0)


def judge(claim: Claim, results: Sequence[Result], data: str) -> Verdict | None:
    """Return the verdict of a claim on one data set, or None if none of its rows was run there."""
    found = _by_row(results, data, claim.metric)
    values = [_value(name, found, results, data, claim.metric) for name in claim.names]
    if all(v is None for v in values):
        return None
    if data in claim.not_on:
        return Verdict(claim, data, UNTESTABLE, claim.not_on[data])
    lacking = [n for n, v in zip(claim.names, values) if v is None]
    if lacking:
        return Verdict(claim, data, NOT_RUN, f"no result for {', '.join(lacking)}")
    numbers = [v for v in values if v is not None]
    exact = claim.kind in ("ordered", "below twice")
    seeds = min(_runs(name, found) for name in claim.names)
    margin = 0.0 if exact else noise_of(results, data, claim.metric).margin(seeds)
    digits = {"ordered": 6, "below twice": 0}.get(claim.kind, 4)
    shown = ", ".join(f"{_shown(n)} {v:.{digits}f}" for n, v in zip(claim.names, numbers))
    mark = mark_of(claim.kind, numbers, margin)
    what = "processor seconds" if claim.metric == "cpu_seconds" else claim.metric.upper()
    return Verdict(claim, data, mark, f"{what} {shown}", margin)


def mark_of(kind: Kind, values: Sequence[float], margin: float) -> str:
    """Return what numbers say of a claim: `SEEN`, `NOT_SEEN`, or `WITHIN` where noise decides."""
    if holds(kind, values, margin):
        return SEEN
    return WITHIN if holds(kind, values, -margin) else NOT_SEEN


def holds(kind: Kind, values: Sequence[float], margin: float) -> bool:
    """Return whether numbers support a claim; see `Claim.kind`.

    With a negative margin it is whether noise of that size could hide a claim of "more" or "rises";
    the other claims are borne out as soon as noise could hide a difference.
    """
    first, rest = values[0], values[1:]
    if kind == "more":
        return all(first - v > margin for v in rest)
    if kind == "no more":
        return all(first - v <= margin for v in rest)
    if kind == "equal":
        return all(abs(first - v) <= margin for v in rest)
    if kind == "below twice":
        return first < 2.0 * rest[0]
    steps = [b - a for a, b in zip(values, rest)]
    if kind == "ordered":
        return all(s >= 0 for s in steps)
    return all(s >= -abs(margin) for s in steps) and values[-1] - first > margin


def verdicts(results: Sequence[Result], claims: Sequence[Claim] = CLAIMS) -> list[Verdict]:
    """Return one verdict per claim and data set with results for it; one in all if none has any."""
    found: list[Verdict] = []
    names = sorted({r["data"]["name"] for r in results})
    for claim in claims:
        own = [verdict for name in names if (verdict := judge(claim, results, name))]
        found += own or [Verdict(claim, "", NOT_RUN, "–")]
    return found


def _by_row(results: Iterable[Result], data: str, metric: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for r in results:
        if r["data"]["name"] == data and r["variant"] == "small":
            value = r["cpu_seconds"] if metric == "cpu_seconds" else r["metrics"][metric]
            found.setdefault(r["recipe"], []).append(float(value))
    return found


def _runs(name: str, found: dict[str, list[float]]) -> int:
    """Return the number of runs behind one of a claim's `names`."""
    rows = name.partition(":")[0].split("|")
    return 1 if ":" in name else min(len(found[row]) for row in rows)


def _value(
    name: str, found: dict[str, list[float]], results: Sequence[Result], data: str, metric: str
) -> float | None:
    """Return the number of one of a claim's `names`: a mean over seeds, or the best of several."""
    if "|" in name:
        several = [_value(n, found, results, data, metric) for n in name.split("|")]
        known = [v for v in several if v is not None]
        return max(known) if len(known) == len(several) else None
    row, _, part = name.partition(":")
    if not part:
        return sum(found[row]) / len(found[row]) if row in found else None
    for r in results:
        if r["recipe"] == row and r["data"]["name"] == data and part in r:
            return float(r[part].get("metrics", r[part])[metric])
    return None


def _shown(name: str) -> str:
    name = name.replace(":best_single", "'s best model").replace(":fit_on_half", "")
    return name.replace("|", " or ")
