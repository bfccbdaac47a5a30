"""The cost of a pass of the full-batch gradient, beside a plain loop over the same data.

    YT8M_SAMPLE_DIR=... python -m benchmarks.full_batch_gradient   # a folder with train/*.tfrecord
    python -m benchmarks.full_batch_gradient --data_pattern=...

Every way computes the same gradient, in turn, `--rounds` times. Ratios are taken within a round, so
that a machine whose speed drifts affects all ways alike. The plain loop is `build_dataset`, a tape
and a running sum in one process.
"""

from __future__ import annotations

import yt8m.process.quiet  # noqa: F401

import os
import re
import time
from typing import Any

import numpy as np
import tensorflow as tf
from absl import flags

from yt8m import cli
from yt8m.compat import tf_variable
from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.pipeline import build_dataset
from yt8m.errors import UserError
from yt8m.largescale.executors import make_executor
from yt8m.largescale.gradient.full_batch import FullBatchGradient
from yt8m.largescale.gradient.shard_gradient import chosen_variables
from yt8m.largescale.tasks.record_source import RecordSource
from yt8m.largescale.tasks.shard_parts import TASK_BYTES, pack_shards
from yt8m.losses import registry as losses
from yt8m.models.core import registry

FLAGS = flags.FLAGS
flags.DEFINE_string("data_pattern", "", "records; by default the train folder of YT8M_SAMPLE_DIR")
flags.DEFINE_integer("shards", 40, "how many of the files to read")
flags.DEFINE_string("model", "VideoDbofBasic", "a model that train.py --list_models shows")
flags.DEFINE_multi_string("frozen", ["head"], "attributes of the model without a gradient")
flags.DEFINE_integer("batch_size", 512, "examples in a batch")
flags.DEFINE_integer("width", 2048, "the width of the model's layers, if it has one")
flags.DEFINE_integer("task_bytes", TASK_BYTES, "bytes of files that are packed into a task")
flags.DEFINE_integer("rounds", 5, "rounds, of which the median ratios are printed")
flags.DEFINE_list(
    "ways",
    ["plain", "in_process", "ray1x2", "ray1x1", "ray2x1"],
    "plain, in_process, rayWxT: W workers with T threads",
)
_WAY = r"plain|in_process|ray[1-9]\d*x[1-9]\d*"
_COMPARED = (
    ("in_process", "plain"),
    ("ray1x2", "plain"),
    ("ray2x1", "plain"),
    ("ray1x1", "ray2x1"),
)


class Plain:
    """The loop that one would write without this project's executors."""

    def __init__(self, model: Any, files: list[str], schema: Any):
        self.model, self.files, self.schema = model, files, schema
        self.variables = [tf_variable(v) for v in chosen_variables(model, FLAGS.frozen)]
        self.sums = [tf.Variable(tf.zeros_like(v)) for v in self.variables]
        self.loss, self.loss_sum = losses.get("CrossEntropyLoss"), tf.Variable(0.0)
        self.step = tf.function(self._step, reduce_retracing=True)

    def _step(self, inputs: Any, labels: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(self.loss(labels, self.model(inputs, training=False), None))
        for total, gradient in zip(self.sums, tape.gradient(loss, self.variables)):
            total.assign_add(gradient)
        self.loss_sum.assign_add(loss)

    def __call__(self) -> tuple[float, list[np.ndarray]]:
        """Return the mean loss and its gradients."""
        count = 0
        for v in (*self.sums, self.loss_sum):
            v.assign(tf.zeros_like(v))
        for batch in build_dataset(self.files, self.schema, batch_size=FLAGS.batch_size):
            self.step(self.model.select_inputs(batch), batch["labels"])
            count += int(batch["labels"].shape[0])
        return float(self.loss_sum) / count, [s.numpy() / count for s in self.sums]


def processor_seconds() -> float:
    """Return the processor time of this process and of its running descendants (Linux)."""
    parents, used = {}, {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as f:
                fields = f.read().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(name)], used[int(name)] = int(fields[1]), int(fields[11]) + int(fields[12])
    family = {os.getpid()}
    while True:
        more = {pid for pid, parent in parents.items() if parent in family} - family
        if not more:
            return sum(used[pid] for pid in family) / os.sysconf("SC_CLK_TCK")
        family |= more


def run_way(
    way: str, model: Any, files: list[str], schema: Any
) -> tuple[float, float, float, list[np.ndarray]]:
    """Return (seconds, processor seconds, loss, gradients) of one pass, after an untimed one."""
    workers, _, threads = way[3:].partition("x")
    ray = way.startswith("ray")
    executor = make_executor("ray", int(workers), int(threads)) if ray else make_executor("")
    source, tasks = RecordSource(schema, FLAGS.batch_size), pack_shards(files, FLAGS.task_bytes)
    full = FullBatchGradient(executor, model, source, tasks, FLAGS.frozen, penalty=0.0)
    plain = Plain(model, files, schema)

    def run() -> tuple[float, list[np.ndarray]]:
        if way == "plain":
            return plain()
        result = full()
        return result.loss, result.gradients

    run()
    began, used = time.perf_counter(), processor_seconds()
    loss, gradients = run()
    seconds, used = time.perf_counter() - began, processor_seconds() - used
    executor.close()
    return seconds, used, loss, gradients


def ratio(times: dict[str, list[float]], a: str, b: str) -> str:
    """Return the median, lowest and highest of a's times over b's, round by round."""
    ratios = np.asarray(times[a]) / np.asarray(times[b])
    return f"{np.median(ratios):.3f} ({ratios.min():.3f} to {ratios.max():.3f})"


def main() -> None:
    """Time every way in turn, compare their results, and print ratios."""
    unknown = [way for way in FLAGS.ways if not re.fullmatch(_WAY, way)]
    if unknown or not FLAGS.ways:  # another word would be timed in-process under its own name
        raise UserError(
            f"--ways={','.join(FLAGS.ways)}: {', '.join(unknown) or 'nothing'} is none of plain,"
            " in_process and rayWxT (ray2x1)."
        )
    sample = os.environ.get("YT8M_SAMPLE_DIR", "YT8M_SAMPLE_DIR")
    pattern = FLAGS.data_pattern or os.path.join(sample, "train", "*.tfrecord")
    files = find_shards(pattern, "--data_pattern")[: FLAGS.shards]
    schema, line = find_schema(files)
    tf.keras.utils.set_random_seed(0)
    arguments = {"num_classes": schema.num_classes, "feature_sizes": schema.feature_sizes}
    if "Dbof" in FLAGS.model:
        arguments["width"] = FLAGS.width
    model = registry.create(FLAGS.model, **arguments).build_weights()
    megabytes = 4e-6 * sum(int(np.prod(v.shape)) for v in chosen_variables(model, FLAGS.frozen))
    tasks = len(pack_shards(files, FLAGS.task_bytes))
    print(
        f"{line}; {len(files)} files, {tasks} tasks; {FLAGS.model}, a gradient of"
        f" {megabytes:.1f} MB",
        flush=True,
    )
    walls: dict[str, list[float]] = {way: [] for way in FLAGS.ways}
    used: dict[str, list[float]] = {way: [] for way in FLAGS.ways}
    for number in range(FLAGS.rounds):
        reference: Any = None
        for way in FLAGS.ways:
            wall, cpu, loss, gradients = run_way(way, model, files, schema)
            walls[way].append(wall)
            used[way].append(cpu)
            reference = reference or (loss, gradients)
            pairs = zip(gradients, reference[1])
            off = max(np.abs(g - r).max() / np.abs(r).max() for g, r in pairs)
            if off > 1e-4 or abs(loss - reference[0]) > 1e-5 * loss:
                raise SystemExit(
                    f"{way} computed another result: gradients differ by {off}, and the loss is"
                    f" {loss}, not {reference[0]}"
                )
            print(
                f"round {number + 1}: {way:10} {wall:7.2f} s, {cpu:7.2f} s of processor, gradients"
                f" differ by {off:.1e}",
                flush=True,
            )
    for a, b in _COMPARED:
        if a in walls and b in walls:
            print(f"{a} / {b}: time {ratio(walls, a, b)}, processor {ratio(used, a, b)}")


if __name__ == "__main__":
    cli.run_script(main)
