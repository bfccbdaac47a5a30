"""The clusters and data of `benchmarks/SCALE.md`, and the tables of that page."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from benchmarks.scale_simulator.check import check_table
from benchmarks.scale_simulator.costs import Costs
from benchmarks.scale_simulator.steps import simulate, workers_for
from benchmarks.scale_simulator.table import cell, markdown, table

WORKERS = (50, 500, 5_000)


class Published(NamedTuple):
    """A run whose time the paper gives (docs/sources.md#times-of-the-largest-runs)."""

    name: str
    costs: Costs
    hours: float


def _video(millions: int) -> Costs:
    return Costs(videos=millions * 1e6, level="video")


# Of a record of 300 frames the paper's run takes 30, so that here a record has no more.
PUBLISHED = (
    Published("video-level, 25 M", _video(25), 15.0),
    Published("video-level, 100 M", _video(100), 20.0),
    Published("video-level, 500 M", _video(500), 24.0),
    Published("frame-level, 100 M × 30", Costs(videos=100e6, frames=30), 72.0),
)
# An iteration of step 3 in the paper (docs/sources.md#iteration-time), on YouTube-8M's classes.
ITERATION = Costs(
    videos=6.2e6, validation_videos=0.14e6, classes=4_716, frame_features=1_152, mean_experts=45.0
)
ACCELERATED = {"gflops": 5_000.0, "disk_mb": 2_000.0, "read_mb": 2_000.0, "network_mb": 12_500.0}
# How the trainer worked when its cost was first modelled; the defaults are today's.
BEFORE = {
    "validation": "driver",
    "features_read": "partition",
    "features_checked": "driver",
    "head_copies": "process",
    "driver_task_seconds": 1.1e-3,
    "driver_square_seconds": 1.94e-7,
}
WAYS = (("before", BEFORE), ("today", {}))

# Without chance: no stragglers and no deaths, so that a search is exact and a queue a division.
STEADY = {"spread": 0.0, "deaths": 0.0}


def _with(costs: Costs, *changes: dict) -> Costs:
    return dataclasses.replace(costs, **{k: v for change in changes for k, v in change.items()})


def _at_500(**changes: float | str) -> str:
    results = [simulate(_with(p.costs, dict(changes)), 500) for p in PUBLISHED]
    return table([p.name for p in PUBLISHED], results, "500 workers")


def _hours() -> str:
    rows = []
    for kind, speed in (("CPU", {}), ("accelerator", ACCELERATED)):
        for how, change in WAYS:
            for workers in WORKERS:
                found = [simulate(_with(p.costs, speed, change), workers) for p in PUBLISHED]
                hours = [cell(f["total_hours"], 0) for f in found]
                rows.append([f"{workers:,} × {kind}, {how}", *hours])
    return markdown(["step 1 and a cycle: hours", *(p.name for p in PUBLISHED)], rows)


def _paper() -> str:
    rows = [["the paper: hours", *(f"{p.hours:.0f}" for p in PUBLISHED)]]
    for kind, speed in (("CPU", {}), ("accelerator", ACCELERATED)):
        for how, change in WAYS:
            # The times of tasks without chance, so that the search is exact.
            steady = {"spread": 0.0, "deaths": 0.0}
            least = [workers_for(_with(p.costs, speed, change, steady), p.hours) for p in PUBLISHED]
            rows.append(
                [f"{kind} workers for that, {how}", *(f"{n:,}" if n else "none" for n in least)]
            )
    return markdown(["", *(p.name for p in PUBLISHED)], rows)


def _storage() -> str:
    rows = []
    for gb in (10, 100, 1_000):
        for how, change in WAYS:
            costs = _with(PUBLISHED[2].costs, ACCELERATED, change, {"storage_mb": gb * 1e3})
            found = [simulate(costs, w) for w in WORKERS]
            cells = [f"{cell(f['moe_epochs_hours'], 1)} ({f['moe_epochs_bound']})" for f in found]
            rows.append([f"{gb:,} GB/s, {how}", *cells])
    return markdown(["file system", *(f"{w:,} workers" for w in WORKERS)], rows)


def _driver() -> str:
    rows = []
    for shard, task in ((1.4, 8.4), (1.4, 512.0), (512.0, 512.0)):
        costs = _with(PUBLISHED[2].costs, STEADY, {"shard_mb": shard, "task_mb": task})
        cells = []
        for _, change in WAYS:
            found = simulate(_with(costs, change), 500)
            cells += [f"{found['driver_minutes']:,.1f} of {found['iteration_minutes']:,.0f}"]
        rows.append([f"{shard:g} and {task:g} MB", f"{found['step3_tasks']:,}", *cells])
    return markdown(["shards and tasks", "tasks", "before: minutes", "today: minutes"], rows)


def _frames() -> str:
    names = ("30 frames", "300 frames")
    costs = [Costs(videos=100e6, frames=n) for n in (30, 300)]
    keys = ("features_hours", "map_minutes", "step3_gb", "cycle_hours")
    return table(names, [simulate(c, 500) for c in costs], "100 M videos, 500 workers", keys)


TABLES = {
    "paper": _paper,
    "hours": _hours,
    "before": lambda: _at_500(**BEFORE),
    "today": _at_500,
    "storage": _storage,
    "driver": _driver,
    "frames": _frames,
    "check": check_table,
    "iteration": lambda: table(
        ["500", "5,000"],
        [simulate(ITERATION, w) for w in (500, 5_000)],
        only=("iteration_minutes", "map_minutes", "validation_minutes", "driver_minutes"),
    ),
}
