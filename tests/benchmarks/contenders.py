"""A benchmark whose contenders print constants, for the tests of the runner."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.harness.benchmark import Benchmark, Command, Comparison, Contender
from benchmarks.harness.limits import last_json

SPEEDS = {"ours": 30.0, "slow": 10.0}


def contender(name: str, rival: str = "", code: str = "") -> Contender:
    """Return a contender that prints its speed, or runs the given code."""
    printed = json.dumps({"videos_per_second": SPEEDS.get(name, 20.0)})

    def command(work: object, folder: Path) -> Command:
        return Command([sys.executable, "-c", code or f"print({printed!r})"], folder)

    return Contender(name, f"the {name} one", command, lambda output, _: last_json(output), rival)


def benchmark(*more: Contender) -> Benchmark:
    """Return a benchmark of two contenders, and more."""
    return Benchmark(
        "toy",
        "do nothing",
        [contender("ours"), contender("slow"), *more],
        [
            Comparison("ours", "slow", "videos_per_second", goal=2.0),
            Comparison("ours", "slow", "wall_seconds"),
            Comparison("ours", "", "wall_seconds", goal=1e-9),
        ],
    )
