"""Short runs of the alternating trainer on the real sample, with 1, 2 and 4 workers, measured.

    YT8M_SAMPLE_DIR=... python -m benchmarks.scale_simulator.measure --workers=2

Each call takes one run and stores it in `measured.json`. Where workers share cores, only their
processor time means anything, and not the time that a run took.
"""

from __future__ import annotations

import yt8m.process.quiet  # noqa: F401

import argparse
import contextlib
import dataclasses
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.harness.context import machine
from benchmarks.harness.store import write_text
from benchmarks.scale_simulator.check import (
    EPOCHS,
    EXPERTS,
    ITERATIONS,
    MEASURED,
    PARTITIONS,
    WIDTH,
)
from benchmarks.scale_simulator.timed_executor import TimedExecutor
from yt8m.api import training
from yt8m.errors import UserError
from yt8m.largescale.alternating import trainer
from yt8m.training.validation import Validation

TRAIN, FEW = "validate00[0-3]?.tfrecord", "validate000?.tfrecord"  # 40 and 10 shards
HELD_OUT = "validate008[0-4].tfrecord"


def measure(workers: int, sample: str, folder: Path) -> dict[str, Any]:
    """Return what a run with so many workers took.

    Args:
      workers: worker processes of a thread each.
      sample: the folder with `train/` and `validate/` shards of the real sample.
      folder: where the runs go.
    """
    common: dict[str, Any] = {
        "eval_data": f"{sample}/validate/{HELD_OUT}",
        "arguments": {"width": WIDTH, "num_mixtures": 2},
        "dtype": "float32",
        "batch_size": 512,
        "weight_average": 0.0,
    }
    joint = folder / "joint"
    if not (joint / "done").exists():
        training.train(
            "VideoDbofBasic",
            f"{sample}/train/{FEW}",
            train_dir=str(joint),
            num_epochs=1,
            trainer="joint",
            **common,
        )
    run = folder / f"workers{workers}"
    shutil.rmtree(run, ignore_errors=True)
    executors: list[TimedExecutor] = []
    make = trainer.make_executor

    def timed(*arguments: Any, **more: Any) -> TimedExecutor:
        executors.append(TimedExecutor(make(*arguments, **more)))
        return executors[-1]

    with mock.patch.object(trainer, "make_executor", timed), _validations() as validations:
        driver, began = time.process_time(), time.perf_counter()
        training.train(
            "VideoDbofBasic",
            f"{sample}/train/{TRAIN}",
            train_dir=str(run),
            trainer="alternating",
            step1_from=str(joint),
            executor=f"ray?workers={workers}&threads=1",
            max_experts=EXPERTS,
            expert_divisor=0.0,
            num_partitions=PARTITIONS,
            step2_max_epochs=EPOCHS,
            step3_max_iterations=ITERATIONS,
            step3_patience=0,
            max_cycles=1,
            **common,
        )
        wall, driver = time.perf_counter() - began, time.process_time() - driver
    return {
        "workers": workers,
        "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "load": os.getloadavg()[0],
        "wall": wall,
        "driver": driver,
        "calls": [dataclasses.asdict(call) for call in executors[0].calls],
        "validations": validations,
        "train_examples": _examples(run),
    }


@contextlib.contextmanager
def _validations() -> Iterator[list[dict[str, float]]]:
    """Yield a list that receives the driver's processor and wall seconds of each validation."""
    taken: list[dict[str, float]] = []
    original = Validation.measure

    def measured(self: Validation, compute: Any) -> dict[str, Any]:
        processor, began = time.process_time(), time.perf_counter()
        result = original(self, compute)
        taken.append(
            {
                "processor": time.process_time() - processor,
                "wall": time.perf_counter() - began,
                "examples": float(result["num_examples"]),
            }
        )
        return result

    with mock.patch.object(Validation, "measure", measured):
        yield taken


def _examples(run: Path) -> int:
    events = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return int(next(e["train_examples"] for e in events if "train_examples" in e))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure one run and store it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, choices=(1, 2, 4), default=1)
    parser.add_argument("--work_dir", default="runs/scale", help="where the runs go")
    given = parser.parse_args(argv)
    sample = os.environ.get("YT8M_SAMPLE_DIR", "")
    if not sample:
        raise UserError("YT8M_SAMPLE_DIR is not set; it names the folder of the real sample.")
    folder = Path(given.work_dir).resolve()
    found = measure(given.workers, sample, folder)
    stored = json.loads(MEASURED.read_text()) if MEASURED.exists() else {"runs": {}}
    stored["runs"][str(given.workers)] = found
    stored["machine"] = machine(
        Path("/proc/cpuinfo").read_text(), Path("/proc/meminfo").read_text()
    )
    write_text(MEASURED, json.dumps(stored, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
