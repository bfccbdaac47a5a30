"""The rounds of a benchmark: every contender in turn, each as a process of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.harness.benchmark import Benchmark, Contender
from benchmarks.harness.process import ProcessFailed, run
from benchmarks.harness.ratios import ratios
from benchmarks.harness.store import Store
from benchmarks.harness.table import number, spread
from benchmarks.harness.work import Work


def order(contenders: Sequence[Contender], round_number: int) -> list[Contender]:
    """Return the contenders in the order of a round: every other one is reversed.

    A machine that becomes slower during a round then favours each of two contenders equally often.
    """
    return list(contenders if round_number % 2 == 0 else reversed(contenders))


def missing(benchmark: Benchmark, rounds: int, store: Store) -> Iterator[tuple[int, Contender]]:
    """Yield the measurements that the store does not have yet, in the order to take them."""
    for round_number in range(rounds):
        for contender in order(benchmark.contenders, round_number):
            if not store.has(benchmark.name, contender.name, round_number):
                yield round_number, contender


def measure(benchmark: Benchmark, work: Work, store: Store, context: dict[str, Any]) -> bool:
    """Take the measurements that are missing, and print the ratios.

    Args:
      benchmark: what to measure.
      work: prepares the data and the trained runs.
      store: gets each measurement at once.
      context: where the measurements are taken.

    Returns:
      Whether every process succeeded.
    """
    rivals, failed = work.settings.rivals(), set()
    print(f"\n{benchmark.name}: {benchmark.title}", flush=True)
    if store.open(benchmark.name, context):
        print("  the earlier measurements are of another machine, version or commit: dropped")
    for contender in benchmark.contenders:
        if not rivals.get(contender.rival, True):
            print(f"  {contender.label}: skipped, --{contender.rival}_python is not given")
            failed.add(contender.name)
    skipped = set(failed)
    for round_number, contender in missing(benchmark, work.settings.rounds, store):
        if contender.name in failed:
            continue
        try:
            values = _measured(benchmark, contender, work)
        except (ProcessFailed, LookupError, ValueError) as error:
            print(f"  {contender.label} failed, {type(error).__name__}: {error}", flush=True)
            failed.add(contender.name)
            continue
        store.add(benchmark.name, contender.name, round_number, values)
        shown = ", ".join(f"{name} {number(value)}" for name, value in values.items())
        print(f"  round {round_number + 1}: {contender.label}: {shown}", flush=True)
    for comparison in benchmark.comparisons:
        found = ratios(store.rounds(benchmark.name), comparison) if comparison.beside else []
        if found:
            print(f"  {comparison.metric}, {comparison.of} / {comparison.beside}: {spread(found)}")
    return failed == skipped


def _measured(benchmark: Benchmark, contender: Contender, work: Work) -> dict[str, float]:
    folder = work.folder / "measured" / benchmark.name / contender.name.replace(" ", "-")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = contender.command(work, folder)
    finished = run(command, folder.with_suffix(".log"))
    values = {**finished.values, **contender.read(finished.output, folder)}
    shutil.rmtree(folder)  # checkpoints of a hundred megabytes
    return values
