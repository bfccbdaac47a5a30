"""The section "How cost grows" of docs/full-release.md, made from the stored points."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.growth.curves import Curve
from benchmarks.growth.fit import fit
from benchmarks.growth.measure import OURS, points
from benchmarks.harness.context import describe
from benchmarks.harness.store import Store
from benchmarks.harness.table import number

BEGIN, END = "<!-- growth: begin -->", "<!-- growth: end -->"
_NOTHING = "Nothing has been measured yet."
_FIGURES = """![seconds against each size, with fitted lines](growth/time.svg)

![peak memory against each size, with fitted lines](growth/memory.svg)

All points are in [results.json](growth/results.json)."""
_HEAD = """| what | grows | seconds | per second | peak GB | exponent of time | of memory |
| --- | --- | --- | --- | --- | --- | --- |"""


def page(text: str, curves: Sequence[Curve], store: Store) -> str:
    """Return a page with the text between its markers replaced.

    Args:
      text: the page; without markers the table comes at its end.
      curves: the rows, in their order.
      store: what was measured.
    """
    where, rows = _where(curves, store), table(curves, store)
    figures = _FIGURES if where else ""  # they exist once there is a point
    parts = (BEGIN, where or _NOTHING, figures, rows, _missing(curves, store), END)
    own = "\n\n".join(part for part in parts if part)
    before, begin, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{own}{after}" if begin else f"{text.rstrip()}\n\n{own}\n"


def table(curves: Sequence[Curve], store: Store) -> str:
    """Return a row for each curve, from its smallest to its largest point."""
    return "\n".join([_HEAD, *(f"| {' | '.join(_cells(curve, store))} |" for curve in curves)])


def _cells(curve: Curve, store: Store) -> list[str]:
    seconds, memory = (points(store, curve.name, v) for v in ("seconds", "peak_gb"))
    if not seconds:
        return [curve.title, curve.axis, *["not measured"] * 5]
    ends = [min(seconds), max(seconds)]
    rounds = store.rounds(curve.name)
    speeds = [number(rounds[x][OURS]["per_second"]) for x in ends] if curve.unit else []
    return [
        curve.title,
        f"{curve.axis}, {ends[0]:,} to {ends[1]:,}",
        " to ".join(_seconds(seconds[x]) for x in ends),
        f"{' to '.join(speeds)} {curve.unit}" if speeds else "",
        " to ".join(number(memory[x]) for x in ends),
        str(fit(seconds) or "too few points"),
        str(fit(memory) or "too few points"),
    ]


def _seconds(value: float) -> str:
    return number(value) if value >= 1 else f"{value:.2g}"


def missing(curve: Curve, store: Store) -> dict[int, str]:
    """Return the sizes without a point, and why."""
    reasons = store.content.get(curve.name, {}).get("missing", {})
    there = store.rounds(curve.name)
    return {x: reasons.get(str(x), "not tried yet") for x in curve.sizes if x not in there}


def _missing(curves: Sequence[Curve], store: Store) -> str:
    lines = [
        f"- {curve.name}, {curve.axis} {size:,}: {reason}"
        for curve in curves
        for size, reason in missing(curve, store).items()
    ]
    return "Missing points:\n\n" + "\n".join(lines) if lines else ""


def _where(curves: Sequence[Curve], store: Store) -> str:
    """Return where and when the points were measured, or ""."""
    found: dict[str, list[dict]] = {}
    for curve in curves:
        content = store.content.get(curve.name)
        if content and content["measurements"]:
            where = content["context"]
            versions = "; ".join(where["versions"].values())
            reduced = " Reduced, to see that it works." if where["quick"] else ""
            line = f"{describe(where['machine'])}; {versions}; commit {where['commit']}.{reduced}"
            found.setdefault(line, []).extend(content["measurements"])
    lines = []
    for line, entries in found.items():
        dates = sorted(entry["date"] for entry in entries)
        other = max(entry["values"]["other_cores"] for entry in entries)
        lines.append(
            f"{line} Measured from {dates[0]} to {dates[-1]} UTC; other processes used at most"
            f" {other:.2f} cores meanwhile."
        )
    return "\n\n".join(lines)
