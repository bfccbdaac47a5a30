"""Commands of this project as contenders, and what their runs recorded."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness.benchmark import Command, Contender
from benchmarks.harness.settings import ROOT

if TYPE_CHECKING:
    from benchmarks.harness.work import Work

DTYPES = ("float32", "bfloat16")
_ENVIRONMENT = {"PYTHONPATH": str(ROOT)}


def python(*arguments: object) -> Command:
    """Return a command of this project's Python in its folder."""
    return Command([sys.executable, *map(str, arguments)], ROOT, _ENVIRONMENT)


def train(data: str, run: Path, dtype: str, flags: Sequence[object]) -> Command:
    """Return train.py with the starter code's defaults, from scratch, without validation."""
    return python(
        "train.py",
        "--starter_defaults",
        "--start_new_model",
        f"--train_data_pattern={data}",
        f"--train_dir={run}",
        f"--dtype={dtype}",
        *flags,
    )


def trainers(level: str, flags: Sequence[str], size: tuple[str, str]) -> list[Contender]:
    """Return the training of a model in both types as contenders named after the types.

    Args:
      level: "video" or "frame": which of the work folder's records.
      flags: those of train.py.
      size: the flag that decides the length, for a full and for a quick run.
    """

    def contender(dtype: str) -> Contender:
        def command(work: Work, folder: Path) -> Command:
            length = size[1] if work.settings.quick else size[0]
            return train(work.records(level), folder / "run", dtype, [*flags, length])

        return Contender(dtype, f"ours {dtype}", command, lambda _, folder: speed(folder / "run"))

    return [contender(dtype) for dtype in DTYPES]


def speed(run: Path, skip: int = 2) -> dict[str, float]:
    """Return the median of the examples/s that a run has recorded.

    Args:
      run: its folder.
      skip: records at the start that are left out: the first has the compilation.

    Raises:
      ValueError: the run has recorded too few.
    """
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    speeds = [e["examples_per_second"] for e in lines if e["event"] == "train"][skip:]
    if not speeds:
        raise ValueError(f"{run} has recorded no more than {skip} speeds")
    return {"examples_per_second": statistics.median(speeds)}
