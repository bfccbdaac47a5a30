"""Where a training step's time goes, by operation, as `--profile` stores it."""

from __future__ import annotations

import json

from benchmarks.harness import ours
from benchmarks.harness.benchmark import Benchmark
from benchmarks.harness.process import ProcessFailed, run
from benchmarks.harness.store import Store
from benchmarks.harness.work import Work

LINE = "profile: "  # how step_speed.py prints the operations for programs


def measure(benchmark: Benchmark, work: Work, store: Store) -> bool:
    """Profile a benchmark's step in both types, store and print it; return whether that worked."""
    for dtype in ours.DTYPES:
        flags = [*benchmark.profile, f"--dtype={dtype}", "--starter_defaults", "--profile"]
        length = [f"--steps={work.size(3, 1)}", f"--rounds={work.size(3, 1)}"]
        command = ours.python("-m", "benchmarks.step_speed", *flags, *length)
        try:
            work.folder.mkdir(parents=True, exist_ok=True)
            output = run(command, work.folder / "profile.log").output
        except ProcessFailed as error:
            print(f"  the profile failed: {error}", flush=True)
            return False
        lines = [line for line in output.splitlines() if line.startswith(LINE)]
        operations = json.loads(lines[-1].removeprefix(LINE))
        store.set_profile(benchmark.name, dtype, operations)
        print(f"  profile {dtype}: " + ", ".join(f"{name} {ms:,.0f} ms" for name, ms in operations))
    return True
