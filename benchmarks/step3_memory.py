"""The peak memory of a worker of step 3 beside what the program predicts before it starts.

    python -m benchmarks.step3_memory
    python -m benchmarks.step3_memory --row=DbofBasic:300:2048:128:3862:5 --ray

Each row of the table is two fresh processes. The first is the driver: it predicts, and writes
made-up records and what a cluster's object store holds. The second is the worker: it maps those
arrays, as a node's processes map the store, and runs one task of six batches. With --ray it is a
worker of Ray, which reads the arrays in Ray's own store. Its peak is the kernel's (VmHWM in
/proc/self/status). The exit code is 1 if an error is above --most_off.
"""

from __future__ import annotations

import yt8m.process.quiet  # noqa: F401

import dataclasses
import json
import os
import pickle
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np
from absl import flags

from yt8m import cli
from yt8m.errors import UserError

FLAGS = flags.FLAGS
flags.DEFINE_multi_string(
    "row",
    [
        "VideoDbofBasic:0:2048:512:3862:5",
        "VideoDbofCgate:0:1024:1024:3862:2",
        "VideoDbofResNet:0:512:512:1000:20",
        "DbofBasic:30:2048:128:3862:5",
        "DbofBasic:300:1024:64:1000:5",
        "DbofCgate:30:1024:128:1000:5",
        "DbofResNet:30:1024:128:3862:2",
        "DbofResNet:300:1024:32:500:20",
    ],
    "MODEL:FRAMES:WIDTH:BATCH_SIZE:CLASSES:EXPERTS; no frames for video-level models",
)
flags.DEFINE_bool("ray", False, "measure a worker of Ray")
flags.DEFINE_float("most_off", 0.2, "the largest error of a prediction, as a share of the peak")

FEATURES = (1024, 128)
BATCHES = 6
PARTS = ("head", "weights", "fixed")
RECORDS = "records.tfrecord"


@dataclasses.dataclass(frozen=True)
class Row:
    """One measurement: a model, its data and the batch."""

    model: str
    frames: int
    width: int
    batch_size: int
    num_classes: int
    experts: int

    @classmethod
    def parse(cls, text: str) -> Row:
        """Return the row that a value of --row names."""
        model, *numbers = text.split(":")
        try:
            return cls(model, *map(int, numbers))
        except (TypeError, ValueError):
            expected = "MODEL:FRAMES:WIDTH:BATCH_SIZE:CLASSES:EXPERTS"
            raise UserError(f"--row={text}: expected {expected}.") from None


def drive(row: Row, folder: str, ray: bool) -> None:
    """Print the prediction, and write what a worker needs into `folder`, or let Ray compute."""
    import tensorflow as tf

    from yt8m.compat import tf_variable
    from yt8m.data.schema import RecordSchema
    from yt8m.largescale.executors import make_executor
    from yt8m.largescale.gradient.shard_gradient import GradientSettings, GradientWorker
    from yt8m.largescale.gradient.worker_memory import predict
    from yt8m.largescale.tasks.record_source import RecordSource
    from yt8m.largescale.tasks.shard_parts import ShardTask
    from yt8m.largescale.tasks.shipped_model import ShippedModel
    from yt8m.models.core import registry

    model = registry.create(
        row.model,
        num_classes=row.num_classes,
        feature_sizes=FEATURES,
        width=row.width,
        groups=[{"classes": list(range(row.num_classes)), "num_mixtures": row.experts}],
    ).build_weights()
    level = "frame" if row.frames else "video"
    names = ("rgb", "audio") if row.frames else ("mean_rgb", "mean_audio")
    frames = {"max_frames": row.frames} if row.frames else {}
    schema = RecordSchema(level, names, FEATURES, row.num_classes, **frames)
    settings = GradientSettings.of(
        model, ("head",), "CrossEntropyLoss", RecordSource(schema, row.batch_size)
    )
    _write_records(row, names, os.path.join(folder, RECORDS))
    worker = GradientWorker(settings, model)
    parts = (worker.head_values(), worker.variables["weights"], worker.variables["fixed"])
    values: dict[str, Any] = {
        part: [tf.convert_to_tensor(tf_variable(v)).numpy() for v in variables]
        for part, variables in zip(PARTS, parts)
    }
    described = {"settings": settings, "model": ShippedModel.headless(model)}
    said = predict(model, settings)
    result = {**dataclasses.asdict(said), "total": said.total}
    if ray:
        executor = make_executor("ray?workers=1")
        shared = {k: executor.broadcast(v) for k, v in {**values, **described}.items()}
        task = ShardTask((os.path.join(folder, RECORDS),))
        ((_, taken),) = executor.map(measured, [task], shared)
        executor.close()
        result.update(taken)
    else:
        with open(os.path.join(folder, "described.pickle"), "wb") as f:
            pickle.dump(described, f)
        for part in PARTS:
            for i, array in enumerate(values[part]):
                np.save(os.path.join(folder, f"{part}.{i:04d}.npy"), array)
    print(json.dumps(result))


def _write_records(row: Row, names: tuple[str, str], path: str) -> None:
    from yt8m.data.records.writers import frame_record, video_record, write_shard

    rng = np.random.default_rng(0)
    if row.frames:
        values: Any = rng.integers(0, 256, (row.frames, sum(FEATURES)), np.uint8)
    else:
        values = rng.normal(size=sum(FEATURES)).astype(np.float32)
    features = dict(zip(names, np.split(values, [FEATURES[0]], axis=-1)))
    record = frame_record if row.frames else video_record
    count = BATCHES * row.batch_size
    write_shard(path, (record(b"%d" % i, features, [i % row.num_classes]) for i in range(count)))


def measured(task: Any, shared: Any) -> dict[str, int]:
    """Return the peak of this process once it has run a task."""
    from yt8m.largescale.gradient.shard_gradient import shard_gradient

    found = shard_gradient(task, shared)
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return {"peak": 1024 * int(line.split()[1]), "examples": found.num_examples}


def work(folder: str) -> None:
    """Run a task as a worker does, and print the peak of this process."""
    from yt8m.largescale.executors import Broadcast
    from yt8m.largescale.tasks.shard_parts import ShardTask

    with open(os.path.join(folder, "described.pickle"), "rb") as f:
        values: dict[str, Any] = pickle.load(f)
    for part in PARTS:
        names = sorted(name for name in os.listdir(folder) if name.startswith(part + "."))
        values[part] = [np.load(os.path.join(folder, name), mmap_mode="r") for name in names]
    shared = {name: Broadcast(name, value) for name, value in values.items()}
    print(json.dumps(measured(ShardTask((os.path.join(folder, RECORDS),)), shared)))


def run(row: Row, ray: bool = False) -> dict[str, int]:
    """Return what the driver predicts and, as `peak`, what the worker takes."""
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps(dataclasses.asdict(row))
        said = _child("drive", text, folder, ray)
        return said if ray else {**said, **_child("work", text, folder, ray)}


def _child(part: str, row: str, folder: str, ray: bool) -> dict[str, int]:
    arguments = f"{part!r}, {row!r}, {folder!r}, {ray}"
    code = f"from benchmarks import step3_memory as m; m.start({arguments})"
    threads = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **threads, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def start(part: str, row: str, folder: str, ray: bool) -> None:
    """Run one of the two processes."""
    if part == "drive":
        drive(Row(**json.loads(row)), folder, ray)
    else:
        work(folder)


def main() -> None:
    """Print the table."""
    print(
        "| model | frames | width | batch | classes × experts | predicted, MB | of which the"
        " batch's step | peak, MB | off |\n|---|---|---|---|---|---|---|---|---|",
        flush=True,
    )
    worst = 0.0
    for row in map(Row.parse, FLAGS.row):
        found = run(row, FLAGS.ray)
        off = found["total"] / found["peak"] - 1
        worst = max(worst, abs(off))
        said, step, peak = (f"{found[name] / 1e6:,.0f}" for name in ("total", "step", "peak"))
        print(
            f"| {row.model} | {row.frames or '–'} | {row.width} | {row.batch_size} |"
            f" {row.num_classes} × {row.experts} | {said} | {step} | {peak} | {off:+.0%} |",
            flush=True,
        )
        print(f"<!-- {found} -->", file=sys.stderr)
    if worst > FLAGS.most_off:
        raise SystemExit(f"a prediction is {worst:.0%} off, and {FLAGS.most_off:.0%} is allowed")


if __name__ == "__main__":
    cli.run_script(main)
