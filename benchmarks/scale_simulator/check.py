"""What the model predicts of the measured runs, beside what they took.

Its unit costs come from the run of one worker: how fast that worker computed in each step, the
first task of a kind in a process (which builds and compiles the model), and its start. What is left
to predict of that run itself are the bytes and the model's arithmetic of tasks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.scale_simulator.costs import Costs
from benchmarks.scale_simulator.table import markdown

MEASURED = Path(__file__).with_name("measured.json")
WIDTH, EXPERTS, EPOCHS, ITERATIONS, PARTITIONS = 256, 5, 1, 2, 4
BASE = "1"
FEATURES, HEADS, GRADIENT = "shard_features", "train_partition_until", "shard_gradient"


def costs_of(run: Mapping[str, Any]) -> Costs:
    """Return the sizes of a measured run."""
    return Costs(
        videos=run["train_examples"],
        classes=3_862,
        level="video",
        video_features=1_152,
        width=WIDTH,
        mean_experts=EXPERTS,
        moe_epochs=EPOCHS,
        iterations=ITERATIONS,
        partitions=PARTITIONS,
        feature_bytes=4,
    )


def tasks_of(run: Mapping[str, Any], function: str) -> list[dict[str, Any]]:
    """Return the times of all tasks of a function."""
    return [t for call in run["calls"] if call["function"] == function for t in call["tasks"]]


def work(run: Mapping[str, Any], function: str) -> float:
    """Return the work of a run's tasks: GFLOP, or tasks where a pipeline's start is most of it."""
    costs = costs_of(run)
    if function == FEATURES:
        return float(len(tasks_of(run, function)))
    if function == HEADS:
        return costs.moe_epochs * costs.videos * costs.partition_flop() / 1e9
    return costs.iterations * costs.videos * sum(costs.step3_flop()) / 1e9


def processor(run: Mapping[str, Any], function: str) -> float:
    """Return the processor seconds of a function's tasks."""
    return sum(t["processor"] for t in tasks_of(run, function))


def start(run: Mapping[str, Any]) -> float:
    """Return the processor seconds of all workers before their first tasks."""
    before: dict[int, float] = {}
    for call in run["calls"]:
        for task in call["tasks"]:
            before.setdefault(task["process"], task["before"])
            before[task["process"]] = min(before[task["process"]], task["before"])
    return sum(before.values())


class Units(NamedTuple):
    """What the calibrating run costs.

    Attributes:
      each: processor seconds of a unit of work in a warm process, for each function.
      cold: what the first task of a function in a process takes beyond that.
      start: processor seconds of a worker before its first task.
      driver: processor seconds of the driver, the same in each run but for its tasks.
    """

    each: dict[str, float]
    cold: dict[str, float]
    start: float
    driver: float


def calibrate(run: Mapping[str, Any]) -> Units:
    """Return the unit costs of a run with one worker."""
    each, cold = {}, {}
    for function in (FEATURES, HEADS, GRADIENT):
        calls = [c for c in run["calls"] if c["function"] == function]
        tasks = tasks_of(run, function)
        if function == GRADIENT:  # its tasks differ in size, and its calls do not
            warm = [sum(t["processor"] for t in c["tasks"]) for c in calls[1:]]
            units = work(run, function) * len(warm) / len(calls)
        else:
            warm = [t["processor"] for t in tasks if not t["cold"]]
            units = work(run, function) * len(warm) / len(tasks)
        each[function] = sum(warm) / units
        cold[function] = max(0.0, processor(run, function) - each[function] * work(run, function))
    driver = run["driver"] - Costs.driver_task_seconds * sum(len(c["tasks"]) for c in run["calls"])
    return Units(each, cold, start(run), driver)


def predict(units: Units, run: Mapping[str, Any]) -> dict[str, float]:
    """Return the processor seconds of each part of a run, and the bytes of its gradients."""
    costs, workers = costs_of(run), run["workers"]
    found = {"start": workers * units.start}
    for function in (FEATURES, HEADS, GRADIENT):
        calls = [c for c in run["calls"] if c["function"] == function]
        processes = min(workers, max(len(c["tasks"]) for c in calls))
        found[function] = (
            units.each[function] * work(run, function) + processes * units.cold[function]
        )
    tasks = sum(len(c["tasks"]) for c in run["calls"])
    found["driver"] = units.driver + costs.driver_task_seconds * tasks
    found["bytes"] = len(tasks_of(run, GRADIENT)) * 4.0 * costs.aggregator_weights
    return found


def measured(run: Mapping[str, Any]) -> dict[str, float]:
    """Return the same of what was measured."""
    return {
        "start": start(run),
        **{f: processor(run, f) for f in (FEATURES, HEADS, GRADIENT)},
        "driver": run["driver"],
        "bytes": float(sum(t["bytes"] for t in tasks_of(run, GRADIENT))),
    }


_NAMES = {
    "start": "workers before their first task: s",
    FEATURES: "step 2, features: s",
    HEADS: "step 2, partitions: s",
    GRADIENT: "step 3: s",
    "all": "all tasks and starts: s",
    "driver": "the driver: s",
    "bytes": "gradients sent: MB",
}


def load() -> dict[str, Any]:
    """Return the measured runs."""
    return json.loads(MEASURED.read_text())["runs"]


def compared(runs: Mapping[str, Any]) -> dict[str, dict[str, tuple[float, float]]]:
    """Return (predicted, measured) of each part of each run."""
    units, found = calibrate(runs[BASE]), {}
    for name in sorted(runs, key=int):
        sides = [predict(units, runs[name]), measured(runs[name])]
        for side in sides:
            parts = ("start", FEATURES, HEADS, GRADIENT)
            side["all"] = sum(side[part] for part in parts)
            side["bytes"] /= 1e6
        found[name] = {part: (sides[0][part], sides[1][part]) for part in _NAMES}
    return found


def check_table() -> str:
    """Return predicted, measured and their ratio for each part and run."""
    found = compared(load())
    rows = []
    for part, name in _NAMES.items():
        cells = []
        for parts in found.values():
            predicted, taken = parts[part]
            cells.append(f"{predicted:.1f} : {taken:.1f} = {predicted / taken:.2f}")
        rows.append([name, *cells])
    heads = [f"{n} worker{'s' * (n != '1')}" for n in found]
    return markdown(["predicted : measured = ratio", *heads], rows)
