"""Speed and memory of a training step, beside this machine's matrix product in the same run.

`python -m benchmarks.step_speed --model=MoeModel --num_classes=3862 --batch_size=512`; `--profile`
also prints where the step's time goes. The batch is constant: nothing is read.
"""

from __future__ import annotations

import json
import resource
import time
from typing import Any, Callable

import numpy as np
import tensorflow as tf
from absl import flags

from benchmarks.children.operations import profile
from benchmarks.children.training_step import training_step
from benchmarks.harness.profiles import LINE
from yt8m import cli

FLAGS = flags.FLAGS
flags.DEFINE_string("model", "MoeModel", "a model that train.py --list_models shows")
flags.DEFINE_integer("num_classes", 3862, "the number of classes, K")
flags.DEFINE_integer("batch_size", 512, "examples in a step")
flags.DEFINE_integer("num_frames", 300, "frames of a video, for frame-level models")
flags.DEFINE_integer("steps", 10, "steps in a round")
flags.DEFINE_integer("rounds", 5, "rounds, of which the medians are printed")
flags.DEFINE_enum("dtype", "float32", ["float32", "bfloat16"], "the type of the computation")
flags.DEFINE_bool("starter_defaults", False, "as in train.py")
flags.DEFINE_bool("profile", False, "also print the milliseconds of a step by operation")
ROWS, INNER, COLUMNS = 1024, 1152, 11586  # the sizes of the matrix product


def timed(function: Callable[[], Any], repeats: int) -> float:
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    for _ in range(repeats):
        result = function()
    np.asarray(tf.nest.flatten(result)[0])
    return (time.perf_counter() - start) / repeats


def main() -> None:
    """Time step and product in turn, so that a machine whose speed drifts affects both alike."""
    tf.keras.mixed_precision.set_global_policy(
        "mixed_bfloat16" if FLAGS.dtype == "bfloat16" else "float32"
    )
    one_step, model = training_step(
        FLAGS.model,
        FLAGS.num_classes,
        FLAGS.batch_size,
        FLAGS.num_frames,
        starter_defaults=FLAGS.starter_defaults,
    )
    a, b = (tf.cast(tf.random.normal(s), FLAGS.dtype) for s in ((ROWS, INNER), (INNER, COLUMNS)))
    product = tf.function(lambda: tf.matmul(a, b))
    timed(one_step, 2), timed(product, 2)
    rounds = [
        (timed(one_step, FLAGS.steps), timed(product, FLAGS.steps)) for _ in range(FLAGS.rounds)
    ]
    seconds, product_seconds = np.median(rounds, axis=0)
    product_speed = 2 * ROWS * INNER * COLUMNS / product_seconds
    print(
        f"{FLAGS.model}, batch {FLAGS.batch_size}, {FLAGS.dtype}:"
        f" {FLAGS.batch_size / seconds:,.1f} examples/s,"
        f" {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB at most"
    )
    print(
        f"matrix product {ROWS} x {INNER} x {COLUMNS}, {FLAGS.dtype}:"
        f" {product_speed / 1e9:,.0f} GFLOP/s"
    )
    if model.level == "video":
        shapes = [v.shape for v in model.trainable_variables if len(v.shape) > 1]
        flop = 2 * 2 * FLAGS.batch_size * sum(int(np.prod(shape)) for shape in shapes)
        print(f"share of that product's speed: {flop / seconds / product_speed:.2f}")
    if FLAGS.profile:
        spent = [(k, round(ms, 2)) for k, ms in profile(one_step, FLAGS.steps) if ms >= 0.05]
        print("\n".join(f"{ms:10.1f} ms {kind}" for kind, ms in spent))
        print(f"{LINE}{json.dumps(spent)}")


if __name__ == "__main__":
    cli.run_script(main)
