"""The tables of benchmarks/RESULTS.md, made from the stored measurements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.harness.benchmark import METRICS, Benchmark, Comparison
from benchmarks.harness.context import describe
from benchmarks.harness.ratios import Rounds, Spread, is_met, ratios, values
from benchmarks.harness.store import Store

BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
_HEAD = """| work | ours | value | beside | its value | times as good (lowest to highest) | goal |
| --- | --- | --- | --- | --- | --- | --- |"""
_NOT_MEASURED = "not measured"
_OPERATIONS = 8  # of a profile's table


def number(value: float) -> str:
    """Return a number with three digits, without an exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread(numbers: Sequence[float]) -> str:
    """Return "median (lowest to highest)"."""
    found = Spread.of(numbers)
    if found is None:
        return _NOT_MEASURED
    return f"{found.median:.2f} ({found.low:.2f} to {found.high:.2f})"


def page(text: str, benchmarks: Sequence[Benchmark], store: Store) -> str:
    """Return a page with the text between its markers replaced by the tables.

    Args:
      text: the page; without markers the tables come at its end.
      benchmarks: the rows, in their order.
      store: what was measured; a benchmark without measurements is "not measured".
    """
    parts = (BEGIN, _where(benchmarks, store), table(benchmarks, store), _profiles(store), END)
    own = "\n\n".join(part for part in parts if part)
    before, begin, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{own}{after}" if begin else f"{text.rstrip()}\n\n{own}\n"


def table(benchmarks: Iterable[Benchmark], store: Store) -> str:
    """Return the comparisons of all benchmarks as one Markdown table."""
    lines = [_HEAD]
    for benchmark in benchmarks:
        rounds, title = store.rounds(benchmark.name), benchmark.title
        for comparison in benchmark.comparisons:
            lines.append(f"| {' | '.join(_cells(benchmark, comparison, rounds, title))} |")
            title = ""
    return "\n".join(lines)


def _cells(benchmark: Benchmark, comparison: Comparison, rounds: Rounds, title: str) -> list[str]:
    ours = benchmark.contender(comparison.of)
    other = benchmark.contender(comparison.beside) if comparison.beside else None
    own_metric, other_metric = comparison.metrics
    own_values = values(rounds, comparison.of, own_metric).values()
    other_values = values(rounds, comparison.beside, other_metric).values()
    found = ratios(rounds, comparison) if other else list(own_values)
    return [
        title,
        f"{ours.label}: {METRICS[own_metric][0]}",
        _median(own_values),
        _beside(comparison, other.label) if other else "",
        _median(other_values) if other else "",
        spread(found) if other else "",
        _goal(comparison, found),
    ]


def _beside(comparison: Comparison, label: str) -> str:
    own_metric, other_metric = comparison.metrics
    return label if own_metric == other_metric else f"{label}: {METRICS[other_metric][0]}"


def _median(numbers: Iterable[float]) -> str:
    found = Spread.of(list(numbers))
    return number(found.median) if found else _NOT_MEASURED


def _goal(comparison: Comparison, found: Sequence[float]) -> str:
    if not comparison.goal:
        return ""
    sign = "≥" if comparison.beside else "≤"
    reached = Spread.of(found)
    verdict = "" if reached is None else "met" if is_met(comparison, reached.median) else "missed"
    return f"{sign} {comparison.goal:g}" + (f": {verdict}" if verdict else "")


def _where(benchmarks: Sequence[Benchmark], store: Store) -> str:
    """Return where, when and with what the benchmarks were measured; once if they agree."""
    said: dict[str, list[str]] = {}
    for benchmark in benchmarks:
        content = store.content.get(benchmark.name)
        if content and content["measurements"]:
            said.setdefault(_context_line(content["context"]), []).append(benchmark.name)
    lines = [
        f"{', '.join(names)}: {line}" if len(said) > 1 else line for line, names in said.items()
    ]
    return "\n\n".join([*lines, _when(store)] if lines else ["Nothing has been measured yet."])


def _context_line(context: dict[str, Any]) -> str:
    names = {"ours": "ours", "starter": "starter code", "garden": "Model Garden"}
    versions = [f"{names[who]}: {what}" for who, what in context["versions"].items()]
    settings = [f"{name}={value}" for name, value in context["environment"].items()]
    about = [describe(context["machine"]), *versions, *settings]
    reduced = " Reduced, to see that it works." if context["quick"] else ""
    return f"{'; '.join(about)}; commit {context['commit']}.{reduced}"


def _when(store: Store) -> str:
    entries = [e for content in store.content.values() for e in content["measurements"]]
    dates = sorted(e["date"] for e in entries)
    rounds = sorted({e["round"] for e in entries})
    other = max(e["values"].get("other_cores", 0.0) for e in entries)
    return (
        f"Measured from {dates[0]} to {dates[-1]} UTC in {len(rounds)} rounds. Other processes"
        f" used at most {other:.2f} cores meanwhile."
    )


def _profiles(store: Store) -> str:
    """Return where the steps' time goes, one table for all profiles."""
    rows = [
        f"| {benchmark} | {name} | "
        + ", ".join(f"{operation} {ms:,.0f}" for operation, ms in operations[:_OPERATIONS])
        + " |"
        for benchmark, content in store.content.items()
        for name, operations in content.get("profile", {}).items()
    ]
    if not rows:
        return ""
    head = (
        "Where a step's time goes: milliseconds by operation, summed over threads.\n\n"
        "| step | type | operations |\n| --- | --- | --- |\n"
    )
    return head + "\n".join(rows)
