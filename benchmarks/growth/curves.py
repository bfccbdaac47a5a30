"""What is measured: each curve has a size that grows, and a process for each of its points."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

from benchmarks.growth.child import CLASSES, LINE
from benchmarks.growth.data import Data
from benchmarks.harness.benchmark import Command
from benchmarks.harness.ours import python

_THOUSANDS = (1_000, 4_000, 16_000, 64_000, 256_000, 1_100_000)


@dataclasses.dataclass(frozen=True)
class Curve:
    """One curve.

    Attributes:
      name: unique.
      title: what is measured, for the table.
      axis: what grows.
      sizes: the points, ascending.
      unit: what `per_second` counts, or "" if the curve has no such value.
      command: `(data, folder, size)` to the process; `folder` is empty, and may be written to.
      limit: seconds that a point may take.
    """

    name: str
    title: str
    axis: str
    sizes: Sequence[int]
    unit: str
    command: Callable[[Data, Path, int], Command]
    limit: float = 120.0

    def reduced(self, number: int) -> Curve:
        """Return the curve with its smallest sizes only."""
        return dataclasses.replace(self, sizes=self.sizes[:number])

    def read(self, output: str, wall_seconds: float, size: int) -> dict[str, float]:
        """Return the values that a process printed; of whole processes, the time that they took."""
        printed = re.findall(f"^{LINE}(.*)$", output, re.M)
        if printed:
            found: dict[str, float] = json.loads(printed[-1])
            return found
        values = {"seconds": wall_seconds}
        return {**values, "per_second": size / wall_seconds} if self.unit else values


def child(kind: str, size: int, *arguments: object) -> Command:
    """Return a process of `benchmarks.growth.child`."""
    return python("-m", "benchmarks.growth.child", kind, size, *arguments)


def _steps(
    name: str,
    axis: str,
    sizes: Sequence[int],
    model: str,
    arguments: Mapping[str, Any],
    **fixed: int,
) -> Curve:
    """Return a curve of training steps.

    Args:
      name: the curve's.
      axis: which of batch, frames, classes or num_mixtures grows.
      sizes: its values.
      model: the name of a model.
      arguments: further arguments of the model.
      **fixed: the values of the others.
    """
    sizes_of = {"classes": CLASSES, "frames": 300, **fixed}
    own = ", ".join(f"{k}={v}" for k, v in arguments.items())
    others = ", ".join(f"{k} {v:,}" for k, v in sizes_of.items() if k not in (axis, "frames"))
    title = f"step of {model}" + (f" ({own})" if own else "") + f", {others}"

    def command(_: Data, __: Path, size: int) -> Command:
        of = {**sizes_of, axis: size}
        given = dict(arguments)
        if axis == "num_mixtures":
            given["num_mixtures"] = size
        return child(
            "step", size, model, of["classes"], of["batch"], of["frames"], json.dumps(given)
        )

    axis_name = "experts" if axis == "num_mixtures" else axis
    return Curve(name, title, axis_name, sizes, "examples", command)


def _start(data: Data, folder: Path, size: int) -> Command:
    return python(
        "train.py",
        "--model=LogisticModel",
        f"--train_data_pattern={data.shards(size)}",
        "--num_classes=3862",
        f"--priors_from={data.run()}",  # few of so many shards are read for priors: all empty
        f"--train_dir={folder / 'run'}",
        "--batch_size=128",
        "--max_steps=1",
    )


def _evaluate(data: Data, folder: Path, size: int) -> Command:
    run = f"--train_dir={data.run()}"
    return python(
        "eval.py",
        run,
        f"--eval_data_pattern={data.videos(size)}",
        "--run_once",
        "--batch_size=1024",
    )


def _predict(data: Data, folder: Path, size: int) -> Command:
    return python(
        "inference.py",
        f"--train_dir={data.run()}",
        f"--input_data_pattern={data.videos(size)}",
        f"--output_file={folder / 'submission.csv'}",
        "--batch_size=1024",
    )


CURVES = (
    _steps("batch", "batch", (16, 32, 64, 128, 256, 512, 1024, 2048, 4096), "MoeModel", {}),
    _steps(
        "frames-dbof", "frames", (10, 20, 40, 80, 160, 320),
        "DbofModel", {"cluster_size": 512, "hidden_size": 256}, batch=32, classes=500,
    ),
    _steps(
        "frames-gru", "frames", (10, 20, 40, 80, 160, 320),
        "GruModel", {"cells": 256, "layers": 1}, batch=32, classes=500,
    ),
    _steps(
        "classes", "classes", (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000),
        "MoeModel", {"feature_sizes": [128]}, batch=64,
    ),
    _steps(
        "experts", "num_mixtures", (1, 3, 10, 30, 100, 300, 1_000),
        "MoeModel", {}, batch=128, classes=20,
    ),
    Curve(
        "shards", "train.py, one step; all shards but one are empty", "shards",
        (1, 10, 100, 1_000, 3_000, 10_000, 30_000, 100_000), "", _start, 240.0,
    ),
    Curve(
        "metrics", f"metrics of scores of {CLASSES:,} classes, without a model", "videos",
        _THOUSANDS, "videos", lambda _, __, size: child("metrics", size), 300.0,
    ),
    Curve(
        "csv-pairs", "CSV of 20 known pairs a line", "videos", _THOUSANDS, "lines",
        lambda _, __, size: child("csv", size, "pairs"), 300.0,
    ),
    Curve(
        "csv-scores", f"CSV of the best 20 of {CLASSES:,} scores", "videos", _THOUSANDS, "lines",
        lambda _, __, size: child("csv", size, "scores"), 300.0,
    ),
    Curve(
        "eval", "eval.py, LogisticModel on 128 features", "videos", _THOUSANDS, "videos",
        _evaluate, 300.0,
    ),
    Curve(
        "predict", "inference.py with a CSV, the same model", "videos", _THOUSANDS, "videos",
        _predict, 300.0,
    ),
)  # fmt: skip
