"""What the driver of a run with very many shards does before the workers go on, when it resumes.

    python -m benchmarks.resume_time --shards=10000,100000,1000000

Each row is an alternation whose features are complete. Its shards are hard links to one shard of
records and one of features, so that a million take an inode each thousand and few bytes; what is
measured depends on their number and not on their size. The row's times are those of this process:
to describe the run and list its records, as `train.py` does; to open the features; and to cut the
tasks of step 3. The last column is what a task of a worker takes for a shard, per 1,000, where the
store has no index.
"""

from __future__ import annotations

import yt8m.process.quiet  # noqa: F401

import argparse
import os
import tempfile
import time
from collections.abc import Iterable, Sequence
from typing import Any, Callable

import numpy as np
import tensorflow as tf

from yt8m import listing
from yt8m.data.files.shards import find_shards
from yt8m.data.records.writers import video_record, write_shard
from yt8m.largescale.executors.in_process import InProcessExecutor
from yt8m.largescale.features.index import StoreIndex, write_index
from yt8m.largescale.features.plan import FeaturePlan
from yt8m.largescale.features.shard import ShardWriter, read_shard, shard_files
from yt8m.largescale.features.store import FeatureStore
from yt8m.largescale.features.survey import complete, survey
from yt8m.largescale.tasks.shard_parts import pack_shards
from yt8m.largescale.tasks.shared_folder import absolute
from yt8m.runs.new_run import new_run
from yt8m.runs.stop_signal import StopSignal
from yt8m.training.validation import Validation

_LINKS = 60_000  # to one file; ext4 allows 65,000
_WIDTH, _CLASSES, _VIDEOS = 8, 10, 2
_SURVEYED = 1000


def linked(source: str, paths: Iterable[str]) -> None:
    """Give a file's content all of these names."""
    with open(source, "rb") as f:
        content = f.read()
    first = ""
    for i, path in enumerate(paths):
        if i % _LINKS:
            os.link(first, path)
            continue
        first = path
        with open(path, "wb") as out:
            out.write(content)


def make(folder: str, shards: int) -> str:
    """Write records and features of so many shards; return the pattern of the records."""
    store, records = os.path.join(folder, "store"), os.path.join(folder, "records")
    for each in (store, records):
        os.makedirs(each)
    one = os.path.join(folder, "one.tfrecord")
    rng = np.random.default_rng(0)
    videos = [
        video_record(b"v%03d" % i, {"mean_rgb": rng.normal(size=_WIDTH)}, [i])
        for i in range(_VIDEOS)
    ]
    write_shard(one, videos)
    with ShardWriter(folder, 0, np.dtype("float16")) as out:
        labels = np.eye(_VIDEOS, _CLASSES)
        out.add(np.ones((_VIDEOS, _WIDTH)), labels, [b"v000"] * _VIDEOS)
    linked(one, (os.path.join(records, f"train{i:07d}.tfrecord") for i in range(shards)))
    for part, source in enumerate(shard_files(folder, 0)):
        linked(source, (shard_files(store, i)[part] for i in range(shards)))
    return os.path.join(records, "train*.tfrecord")


def measured(folder: str, shards: int) -> dict[str, tuple[float, float]]:
    """Return the seconds of each part: of the processor, and passed."""
    pattern, found = make(folder, shards), {}

    def timed(name: str, part: Callable[[], Any]) -> Any:
        computed, began = time.process_time(), time.monotonic()
        value = part()
        found[name] = (time.process_time() - computed, time.monotonic() - began)
        return value

    def described() -> tuple[Any, list[str]]:
        run = new_run(
            "VideoDbofBasic",
            pattern,
            pattern.replace("*", "0*00"),
            num_classes=_CLASSES,
            trainer="alternating",
        )
        find_shards(pattern)  # `start_run` and the trainer ask again
        files = [absolute(path) for path in find_shards(pattern)]
        Validation(run.config, tf.distribute.OneDeviceStrategy("/cpu:0"))
        return run.config.schema, files

    with listing.asked_once():
        schema, files = timed("records", described)
        plan = FeaturePlan(os.path.join(folder, "store"), files, schema, "float16")
        _index(plan.write())
        executor, stop = InProcessExecutor(), StopSignal()

        def opened() -> FeatureStore:
            complete(plan, executor, _nothing, stop, print)
            return FeatureStore(plan.folder)

        store = timed("features", opened)
        assert store.label_counts().sum() == store.num_examples == shards * _VIDEOS
        timed("tasks", lambda: pack_shards(files))
        few = range(min(shards, _SURVEYED))
        timed("survey", lambda: survey(executor, plan.write(), few, True, stop))
    return found


def _index(plan: FeaturePlan) -> None:
    """Write the index of shards that are all the same."""
    shard = read_shard(plan.folder, 0, np.dtype(plan.dtype))
    assert shard is not None
    count = len(plan.files)
    counts = count * np.bincount(shard.indices, minlength=_CLASSES)
    stamps = np.full(count, shard.stamp, np.uint32)
    sizes = np.full(count, _VIDEOS)
    write_index(plan.folder, StoreIndex(plan.digest, plan.dtype, _WIDTH, sizes, stamps, counts))


def _nothing(plan: FeaturePlan, missing: Sequence[int]) -> None:
    raise AssertionError(f"{len(missing)} shards are missing")


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table with a row for each number of shards."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shards", default="10000,100000,1000000", help="numbers of shards")
    parser.add_argument("--folder", default=None, help="an existing folder for the links")
    flags = parser.parse_args(argv)
    print(
        "| shards | records, s | features, s | step 3's tasks, s | all, s | passed, s"
        " | survey of 1,000, s |\n|---|---|---|---|---|---|---|"
    )
    for count in map(int, flags.shards.split(",")):
        with tempfile.TemporaryDirectory(dir=flags.folder) as folder:
            found = measured(folder, count)
        survey_seconds = found.pop("survey")[0] * _SURVEYED / min(count, _SURVEYED)
        computed, passed = (sum(times) for times in zip(*found.values()))
        parts = " | ".join(f"{seconds:.1f}" for seconds, _ in found.values())
        row = f"| {count:,} | {parts} | {computed:.1f} | {passed:.1f} | {survey_seconds:.1f} |"
        print(row, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
