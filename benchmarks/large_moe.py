"""A training step of a large mixture, beside this machine's matrix product: speed, share, memory.

`python -m benchmarks.large_moe` measures a part of one PMoE group (k = 200 on 1152 features) and of
the KDD paper's head (50 experts on 2048), each in float32 and bfloat16. A group of 500 classes only
has more blocks of the same kind, so `--classes=500` changes the memory and not the share.

The script prints two shares, one by elapsed time and one by processor time. The second is
meaningful on a machine that runs other programs too.
"""

from __future__ import annotations

import resource
import time
from typing import Any, Callable

import numpy as np
import tensorflow as tf
from absl import flags

from yt8m import cli
from yt8m.largescale.mixtures.mixture_block import MixtureBlock, cut, training_step

FLAGS = flags.FLAGS
flags.DEFINE_list("cases", ["1152x200", "2048x50"], "width x experts")
flags.DEFINE_list(
    "dtypes", ["float32", "bfloat16"], "types of the products; each is compared with its own"
)
flags.DEFINE_integer("batch_size", 512, "examples in a step", 1)
flags.DEFINE_integer("classes", 54, "classes of the group", 1)
flags.DEFINE_integer("rounds", 7, "rounds, of which the medians are printed", 1)
# The product has the shape of one of a block's; a larger product is no faster here.
ROWS, INNER, COLUMNS = 1024, 1152, 3600
PRODUCTS = 8  # products in a round


def spent(function: Callable[[], Any]) -> tuple[float, float]:
    """Return the seconds and the processor seconds of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - cpu


def group_step(
    width: int, k: int, classes: int, batch_size: int, dtype: str
) -> tuple[Callable[[], None], int]:
    """Return a function that takes one training step of a whole group, and its kernel weights."""
    rng = np.random.default_rng(0)
    blocks = [
        MixtureBlock(part, n, width)
        for n, part in cut(range(classes), [k] * classes, width, batch_size)
    ]
    for block in blocks:
        block.make_moments()
        block.start(0, classes)
    steps = [training_step("CrossEntropyLoss", 1e-8, 0.0, b.class_major, b.shapes) for b in blocks]
    x = rng.normal(size=(batch_size, width)).astype(np.float32) / np.float32(np.sqrt(width))
    labels = [(rng.random((batch_size, len(b.classes))) < 0.001).astype(np.uint8) for b in blocks]
    rate, power_1, power_2 = (tf.constant(value) for value in (1e-3, 0.9, 0.999))
    total = tf.Variable(0.0)

    def take_step() -> None:
        features = tf.cast(tf.constant(x), dtype)
        for block, step, y in zip(blocks, steps, labels):
            y = tf.constant(y)
            step(features, y, block.weights, block.moments, rate, power_1, power_2, total)
        total.numpy()

    return take_step, sum(int(np.prod(w.shape)) for b in blocks for w in b.weights[:2])


def measure(width: int, k: int, dtype: str) -> None:
    """Time step and product in turn, so that a machine whose speed drifts affects both alike."""
    size = FLAGS.batch_size
    step, weights = group_step(width, k, FLAGS.classes, size, dtype)
    a, b = (tf.cast(tf.random.normal(s), dtype) for s in ((ROWS, INNER), (INNER, COLUMNS)))
    product = tf.function(lambda: tf.matmul(a, b)[0, 0])

    def products() -> None:
        for _ in range(PRODUCTS):
            product().numpy()

    spent(step), spent(products)
    rounds = [(*spent(step), *spent(products)) for _ in range(FLAGS.rounds)]
    wall, cpu, product_wall, product_cpu = np.median(rounds, axis=0)
    flop = 4.0 * size * weights  # forward and the kernels' gradient; features need none
    product_flop = PRODUCTS * 2.0 * ROWS * INNER * COLUMNS
    speed, product_speed = flop / wall, product_flop / product_wall
    cpu_share = flop / cpu / (product_flop / product_cpu)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"D = {width}, k = {k}, {FLAGS.classes} classes ({weights / 1e6:.1f} M weights),"
        f" batch {size}, {dtype}: {size / wall:,.0f} examples/s, {speed / 1e9:,.0f} GFLOP/s;"
        f" product {product_speed / 1e9:,.0f} GFLOP/s; share {speed / product_speed:.2f}, of"
        f" processor time {cpu_share:.2f}; peak memory so far {peak:.2f} GB",
        flush=True,
    )


def main() -> None:
    """Measure every case with every type."""
    for case in FLAGS.cases:
        width, k = (int(n) for n in case.split("x"))
        for dtype in FLAGS.dtypes:
            measure(width, k, dtype)


if __name__ == "__main__":
    cli.run_script(main)
