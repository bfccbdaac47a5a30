"""The bytes of features that a node reads in an epoch of step 2, and the time and memory it takes.

    YT8M_SAMPLE_DIR=... python -m benchmarks.step2_reading
    YT8M_SAMPLE_DIR=... python -m benchmarks.step2_reading --row=8:2:alone --row=8:2:shared

The features are those of the records themselves, 1,152 numbers a video, and windows are small so
that there are several. Each row is a process, which starts Ray, trains one epoch so that workers
have compiled their steps, and measures the second. With `alone` each process reads all windows for
itself, as it did once.
"""

from __future__ import annotations

import yt8m.process.quiet  # noqa: F401

import contextlib
import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any
from unittest import mock

import numpy as np
from absl import flags

from yt8m import cli
from yt8m.errors import UserError
from yt8m.largescale.features.plan import FeaturePlan
from yt8m.largescale.features.shard import Shard
from yt8m.largescale.features.store import FeatureStore, build_feature_store
from yt8m.largescale.mixtures import partition_map
from yt8m.largescale.mixtures.blocks_file import read_arrays
from yt8m.largescale.mixtures.class_partition import partition
from yt8m.largescale.mixtures.moe_settings import MoeSettings

FLAGS = flags.FLAGS
flags.DEFINE_multi_string(
    "row",
    ["8:2:alone", "8:2:shared", "2:2:alone", "2:2:shared"],
    "PARTITIONS:WORKERS:alone|shared",
)
flags.DEFINE_string("pattern", "*/*.tfrecord", "shards below YT8M_SAMPLE_DIR")
flags.DEFINE_integer("window_mb", 16, "mebibytes of a window", 1)
flags.DEFINE_string("work_dir", "runs/step2_reading", "where the features are kept")
flags.DEFINE_integer("classes", 400, "classes that are trained", 1)
flags.DEFINE_integer("experts", 1, "experts of each class", 1)
_EPOCHS = 2


@dataclasses.dataclass(frozen=True)
class Measured:
    """A task function that returns what it read and took, as JSON would."""

    alone: bool

    def __call__(self, task: Any, shared: Any) -> dict[str, float]:
        """Train a partition."""
        read, original = [0], Shard.read_into

        def counted(shard: Shard, out: np.ndarray, low: int) -> None:
            read[0] += out.nbytes
            original(shard, out, low)

        computed = time.process_time()
        with contextlib.ExitStack() as patched:
            patched.enter_context(mock.patch.object(Shard, "read_into", counted))
            if self.alone:
                none = mock.patch.object(FeatureStore, "_sharing", contextlib.nullcontext)
                patched.enter_context(none)
            partition_map.train_partition_until(task, shared)
        with open("/proc/self/status") as status:
            peak = next(line for line in status if line.startswith("VmHWM"))
        return {
            "read": read[0],
            "computed": time.process_time() - computed,
            "peak": 1024 * int(peak.split()[1]),
        }


def drive(row: str, features: str, classes: int, experts: int, window_mb: int) -> None:
    """Print what the second epoch of a row took."""
    from yt8m.largescale.executors import make_executor
    from yt8m.models.core.recipe import Recipe
    from yt8m.runs.stop_signal import StopSignal

    partitions, workers, kind = row.split(":")
    store = FeatureStore(features, window_mb << 20)
    counts = np.full(store.num_classes, experts)
    recipe = Recipe(base_learning_rate=0.005, batch_size=512, num_epochs=_EPOCHS)
    executor = make_executor(f"ray?workers={workers}&threads=1")
    settings = MoeSettings(dataclasses.replace(recipe, clip_gradient_norm=0.0, weight_average=0.0))
    with tempfile.TemporaryDirectory() as folder:
        trained = partition_map.PartitionMap(
            executor,
            partition("alike", [experts] * classes, int(partitions)),
            counts,
            folder,
            store,
            settings,
            np.full(store.num_classes, 1e-3),
            StopSignal(),
        )
        steps, _ = settings.steps(store.num_examples)
        for epoch in range(1, _EPOCHS + 1):
            began = time.monotonic()
            tasks = [dataclasses.replace(t, until=epoch * steps) for t in trained._tasks]
            shared = {"job": trained._job}
            parts = [found for _, found in executor.map(Measured(kind == "alone"), tasks, shared)]
            seconds = time.monotonic() - began
        digest = hashlib.sha1()
        for task in trained._tasks:
            for array in read_arrays(task.path)[1]:
                digest.update(array.tobytes())
    executor.close()
    print(
        json.dumps(
            {
                "store": store.num_examples * store.width * store.dtype.itemsize,
                "windows": len(list(store._windows(np.random.default_rng(0)))),
                "read": sum(part["read"] for part in parts),
                "computed": sum(part["computed"] for part in parts),
                "peak": max(part["peak"] for part in parts),
                "passed": seconds,
                "weights": digest.hexdigest()[:8],
            }
        )
    )


def _features() -> str:
    """Make the store unless it is there, and return its folder."""
    from yt8m.data.files.shards import find_shards
    from yt8m.data.find_schema import find_schema

    sample = os.environ.get("YT8M_SAMPLE_DIR", "")
    if not sample:
        raise UserError("YT8M_SAMPLE_DIR is not set; it names the folder of the real sample.")
    files = find_shards(os.path.join(sample, FLAGS.pattern))
    plan = FeaturePlan(os.path.abspath(FLAGS.work_dir), files, find_schema(files)[0])
    return build_feature_store(plan, lambda batch: batch["video"].numpy()).folder


def main() -> None:
    """Print the table."""
    features = _features()
    print(
        "| partitions | workers | each window | features read | of the store | passed, s |"
        " computed, s | peak of a worker, MB | weights |\n|---|---|---|---|---|---|---|---|---|",
        flush=True,
    )
    for row in FLAGS.row:
        arguments = f"{row!r}, {features!r}, {FLAGS.classes}, {FLAGS.experts}, {FLAGS.window_mb}"
        code = f"from benchmarks import step2_reading as m; m.drive({arguments})"
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True
        )
        found = json.loads(done.stdout.splitlines()[-1])
        partitions, workers, kind = row.split(":")
        print(
            f"| {partitions} | {workers} | {kind} | {found['read'] / 1e6:,.0f} MB |"
            f" {found['read'] / found['store']:.2f} × | {found['passed']:.1f} |"
            f" {found['computed']:.1f} | {found['peak'] / 1e6:,.0f} | {found['weights']} |",
            flush=True,
        )


if __name__ == "__main__":
    cli.run_script(main)
