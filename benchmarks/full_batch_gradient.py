"""What a pass of the full-batch gradient costs beside a plain loop over the same data, in-process and through Ray.

`YT8M_SAMPLE_DIR=... python benchmarks/full_batch_gradient.py` (folder with train/*.tfrecord), or `--data_pattern=...`.
Every way computes the same gradient, in turn, `--rounds` times; ratios are within a round, so that a machine whose
speed drifts is the same for all. The plain loop is `build_dataset`, a tape and a running sum, all in one process.
"""

import yt8m.quiet  # noqa: F401

import os
import re
import time

import numpy as np
import tensorflow as tf
from absl import flags

from yt8m import cli
from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.pipeline import build_dataset
from yt8m.errors import UserError
from yt8m.largescale.executors import make_executor
from yt8m.largescale.gradient.full_batch import FullBatchGradient, chosen_variables
from yt8m.largescale.tasks.record_source import RecordSource
from yt8m.largescale.tasks.shard_parts import TASK_BYTES, pack_shards
from yt8m.losses import registry as losses
from yt8m.models.core import registry
from yt8m.training.weight_average import tf_variable

FLAGS = flags.FLAGS
flags.DEFINE_string("data_pattern", "", "records; default: the train folder of YT8M_SAMPLE_DIR")
flags.DEFINE_integer("shards", 40, "files of them to read")
flags.DEFINE_string("model", "VideoDbofBasic", "see train.py --list_models")
flags.DEFINE_multi_string("frozen", ["head"], "attributes of the model without a gradient")
flags.DEFINE_integer("batch_size", 512, "examples a batch")
flags.DEFINE_integer("width", 2048, "of the model's layers, where it has one")
flags.DEFINE_integer("task_bytes", TASK_BYTES, "files packed into a task")
flags.DEFINE_integer("rounds", 5, "rounds; medians of ratios are printed")
flags.DEFINE_list(
    "ways",
    ["plain", "in_process", "ray1x2", "ray1x1", "ray2x1"],
    "plain, in_process, rayWxT: W workers of T threads",
)


class Plain:
    """What one would write without any of this."""

    def __init__(self, model, files, schema):
        self.model, self.files, self.schema = model, files, schema
        self.variables = [tf_variable(v) for v in chosen_variables(model, FLAGS.frozen)]
        self.sums = [tf.Variable(tf.zeros_like(v)) for v in self.variables]
        self.loss, self.loss_sum = losses.get("CrossEntropyLoss"), tf.Variable(0.0)
        self.step = tf.function(self._step, reduce_retracing=True)

    def _step(self, inputs, labels):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(self.loss(labels, self.model(inputs, training=False), None))
        for total, gradient in zip(self.sums, tape.gradient(loss, self.variables)):
            total.assign_add(gradient)
        self.loss_sum.assign_add(loss)

    def __call__(self):
        count = 0
        for v in (*self.sums, self.loss_sum):
            v.assign(tf.zeros_like(v))
        for batch in build_dataset(self.files, self.schema, batch_size=FLAGS.batch_size):
            self.step(self.model.select_inputs(batch), batch["labels"])
            count += int(batch["labels"].shape[0])
        return float(self.loss_sum) / count, [s.numpy() / count for s in self.sums]


def processor_seconds() -> float:
    """Return the processor time of this process and all that it started and that still run (Linux)."""
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


def run_way(way, model, files, schema, warm_ups: int = 1):
    """Return (seconds, processor seconds, loss, gradients) of one pass, after an untimed one."""
    executor, run = None, None
    if way == "plain":
        run = Plain(model, files, schema)
    else:
        workers, _, threads = way[3:].partition("x")
        executor = (
            make_executor("ray", int(workers), int(threads))
            if way.startswith("ray")
            else make_executor("")
        )
        full = FullBatchGradient(
            executor,
            model,
            RecordSource(schema, FLAGS.batch_size),
            pack_shards(files, FLAGS.task_bytes),
            FLAGS.frozen,
            penalty=0.0,
        )

        def run():
            result = full()
            return result.loss, result.gradients

    for _ in range(warm_ups):
        run()
    began, used = time.perf_counter(), processor_seconds()
    loss, gradients = run()
    seconds, used = time.perf_counter() - began, processor_seconds() - used
    if executor is not None:
        executor.close()
    return seconds, used, loss, gradients


def ratio(times, a, b):
    """Return the median, lowest and highest of a's times over b's, round by round."""
    ratios = np.asarray(times[a]) / np.asarray(times[b])
    return f"{np.median(ratios):.3f} ({ratios.min():.3f} to {ratios.max():.3f})"


def main() -> None:
    """Time every way in turn, hold their results against each other, and print ratios."""
    unknown = [
        way for way in FLAGS.ways if not re.fullmatch(r"plain|in_process|ray[1-9]\d*x[1-9]\d*", way)
    ]
    if unknown or not FLAGS.ways:  # another word would be timed in-process, under its own name
        raise UserError(
            f"--ways={','.join(FLAGS.ways)}: {', '.join(unknown) or 'nothing'} is none of plain, in_process and rayWxT (ray2x1)."
        )
    pattern = FLAGS.data_pattern or os.path.join(
        os.environ.get("YT8M_SAMPLE_DIR", "YT8M_SAMPLE_DIR"), "train", "*.tfrecord"
    )
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
        f"{line}; {len(files)} files, {tasks} tasks; {FLAGS.model}, a gradient of {megabytes:.1f} MB",
        flush=True,
    )
    walls, used = {way: [] for way in FLAGS.ways}, {way: [] for way in FLAGS.ways}
    for number in range(FLAGS.rounds):
        reference = None
        for way in FLAGS.ways:
            wall, cpu, loss, gradients = run_way(way, model, files, schema)
            walls[way].append(wall)
            used[way].append(cpu)
            reference = reference or (loss, gradients)
            off = max(
                np.abs(g - r).max() / np.abs(r).max() for g, r in zip(gradients, reference[1])
            )
            if off > 1e-4 or abs(loss - reference[0]) > 1e-5 * loss:
                raise SystemExit(f"{way} computed something else: {off}, {loss} for {reference[0]}")
            print(
                f"round {number + 1}: {way:10} {wall:7.2f} s, {cpu:7.2f} s of processor, {off:.1e} off",
                flush=True,
            )
    for a, b in (
        ("in_process", "plain"),
        ("ray1x2", "plain"),
        ("ray2x1", "plain"),
        ("ray1x1", "ray2x1"),
    ):
        if a in walls and b in walls:
            print(f"{a} / {b}: time {ratio(walls, a, b)}, processor {ratio(used, a, b)}")


if __name__ == "__main__":
    cli.run(main)
