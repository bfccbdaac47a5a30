"""Measure this project beside its rivals and beside this machine's limits, in one run.

Each benchmark takes its contenders in turn, round by round, each as a process of its own. Ratios
are taken within a round. Every measurement is stored at once in benchmarks/results.json, so that
the same command resumes a run that was interrupted; benchmarks/RESULTS.md gets the table.
benchmarks/README.md shows how to make the rivals' environments.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cases import BENCHMARKS
from benchmarks.harness import profiles
from benchmarks.harness.benchmark import Benchmark
from benchmarks.harness.context import context
from benchmarks.harness.rounds import measure
from benchmarks.harness.settings import parse
from benchmarks.harness.store import Store, write_text
from benchmarks.harness.table import page
from benchmarks.harness.work import Work
from yt8m import cli


def _about(benchmark: Benchmark) -> str:
    """Return the benchmark's rivals, limits and goals as text."""
    lines = [f"{benchmark.name}: {benchmark.title}"]
    lines += [f"  measures {c.label}" for c in benchmark.contenders]
    for comparison in benchmark.comparisons:
        if comparison.goal:
            other = f" / {comparison.beside} >=" if comparison.beside else " <="
            lines.append(f"  goal: {comparison.metric}, {comparison.of}{other} {comparison.goal:g}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is missing, and write the table; return 1 if a process failed."""
    settings = parse(argv, __doc__ or "", [b.name for b in BENCHMARKS])
    names = settings.only.split(",") if settings.only else [b.name for b in BENCHMARKS]
    chosen = [b for b in BENCHMARKS if b.name in names]
    if settings.list:
        print("\n".join(map(_about, chosen)))
        return 0
    work, where = Work(settings), context(settings)
    store = Store(settings.out_dir / "results.json")
    succeeded = True
    for benchmark in chosen:
        succeeded &= measure(benchmark, work, store, where)
        if settings.profile and benchmark.profile:
            succeeded &= profiles.measure(benchmark, work, store)
        _write_page(settings.out_dir / "RESULTS.md", store)
    print(f"\nthe table is in {settings.out_dir / 'RESULTS.md'}")
    return 0 if succeeded else 1


def _write_page(path: Path, store: Store) -> None:
    text = path.read_text() if path.exists() else "# Benchmarks\n"
    write_text(path, page(text, BENCHMARKS, store))


if __name__ == "__main__":
    sys.exit(cli.guarded(main))
