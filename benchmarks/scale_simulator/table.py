"""Results as Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.scale_simulator.steps import Found

_ROWS = (
    ("step1_one_hours", "step 1 on one machine, as within the alternation: hours", 1),
    ("step1_all_hours", "step 1 on all machines: hours", 1),
    ("step1_bound", "… the faster one's largest part", 0),
    ("features_hours", "step 2, features: hours", 2),
    ("features_bound", "… bound by", 0),
    ("features_tb", "… on disk: TB", 2),
    ("verify_hours", "… their check against checksums: hours", 4),
    ("moe_parts", "step 2, partitions", 0),
    ("moe_hours", "… hours", 1),
    ("moe_validation_hours", "… of which validation", 1),
    ("moe_driver_hours", "… of which the driver joins the head", 2),
    ("moe_bound", "… largest part", 0),
    ("moe_read_tb", "… features read by all: TB", 0),
    ("moe_worker_gb", "… memory of a worker: GB", 2),
    ("head_gb", "the head: GB", 1),
    ("step3_tasks", "step 3, tasks", 0),
    ("iteration_minutes", "… an iteration: minutes", 1),
    ("map_minutes", "… of which the tasks", 1),
    ("reduce_minutes", "… of which broadcast and reduce", 2),
    ("validation_minutes", "… of which validation", 1),
    ("driver_minutes", "… the driver's processor meanwhile: minutes", 2),
    ("iteration_bound", "… largest part", 0),
    ("head_share", "… share of the frozen head in the arithmetic", 2),
    ("iteration_again", "… tasks repeated after deaths", 0),
    ("traffic_tb", "… gradients and weights sent: TB", 2),
    ("step3_gb", "… memory of a worker: GB", 1),
    ("step3_hours", "step 3: hours", 1),
    ("cycle_hours", "a cycle of steps 2 and 3: hours", 1),
    ("total_hours", "step 1 and a cycle: hours", 1),
)
NAMES = {key: name for key, name, _ in _ROWS}


def cell(value: float | str, digits: int) -> str:
    """Return a value as text."""
    return value if isinstance(value, str) else f"{value:,.{digits}f}"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with a first column of names."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def table(
    columns: Sequence[str],
    results: Sequence[Found],
    first: str = "workers",
    only: Sequence[str] = (),
) -> str:
    """Return results as a table with a column for each.

    Args:
      columns: the heads of the columns.
      results: what `simulate` returned.
      first: the head of the first column.
      only: the keys of the rows; all if there are none.
    """
    rows = [
        [name, *(cell(result[key], digits) for result in results)]
        for key, name, digits in _ROWS
        if not only or key in only
    ]
    return markdown([first, *columns], rows)
