"""The coordinator's processor time for so many empty tasks on a Ray cluster of this machine.

    python -m benchmarks.driver_time --tasks=2000,8000,100000

A run with more shards has more tasks, and only its one coordinator cannot be multiplied. Each row
is a process of its own, which starts Ray, warms the workers up by some tasks, and then maps, or
maps and adds, tasks that return 0. What counts is the processor time of that process with all of
its threads; the time that passes is that of the workers and of Ray's own processes besides.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from yt8m.largescale.executors import Shared, make_executor

_KINDS = ("map", "sum")
_WARM_UP = 64


def nothing(task: int, shared: Shared) -> int:
    """Return 0 for any task."""
    return 0


def add(total: int | None, part: int) -> int:
    """Add a part to a total."""
    return part + (total or 0)


def measured(kind: str, count: int, address: str, as_if: int) -> dict[str, float]:
    """Return the seconds of one map or sum in this process: `driver` computing, and `passed`.

    Args:
      kind: "map" or "sum".
      count: the number of tasks.
      address: the executor's.
      as_if: the number of workers with which the executor reckons; 0 is that of the cluster.
    """
    executor = make_executor(address)
    if as_if:
        executor.workers = lambda: as_if  # type: ignore[attr-defined]

    def call(tasks: range) -> None:
        if kind == "map":
            assert sum(1 for _ in executor.map(nothing, tasks, {})) == len(tasks)
        else:
            assert executor.map_reduce(nothing, tasks, {}, add) == 0

    call(range(_WARM_UP))
    computed, began = time.process_time(), time.monotonic()
    call(range(count))
    found = {
        "driver": time.process_time() - computed,
        "passed": time.monotonic() - began,
    }
    executor.close()
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table with a row for each number of tasks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", default="2000,8000,100000", help="numbers of tasks")
    parser.add_argument("--kinds", default=",".join(_KINDS), help="map, sum or both")
    parser.add_argument("--executor", default="ray?workers=2", help="as for train.py")
    parser.add_argument(
        "--as_if",
        type=int,
        default=0,
        help="number of workers with which the driver reckons; from half the tasks on, each task is"
        " a call of its own",
    )
    parser.add_argument("--row", default="", help=argparse.SUPPRESS)  # of the process of a row
    flags = parser.parse_args(argv)
    if flags.row:
        kind, _, count = flags.row.partition(":")
        print(json.dumps(measured(kind, int(count), flags.executor, flags.as_if)))
        return 0
    print("| tasks | kind | driver's processor time, s | time passed, s |\n|---|---|---|---|")
    for count in map(int, flags.tasks.split(",")):
        for kind in flags.kinds.split(","):
            found = _in_a_process(f"{kind}:{count}", flags)
            row = f"| {count:,} | {kind} | {found['driver']:.1f} | {found['passed']:.1f} |"
            print(row, flush=True)
    return 0


def _in_a_process(row: str, flags: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.driver_time", f"--row={row}"]
    command += [f"--executor={flags.executor}", f"--as_if={flags.as_if}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    raise SystemExit(main())
