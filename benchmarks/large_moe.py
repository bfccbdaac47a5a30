"""A training step of a large mixture beside this machine's matrix product in the same run: speed, share, memory.

`python benchmarks/large_moe.py` measures a part of one PMoE group (k = 200 on 1152 features) and of the KDD
paper's head (50 experts on 2048), each in float32 and bfloat16. A group of 500 classes is as many blocks more
of the same, so that `--classes=500` changes memory and not the share.

Two shares are printed: of time as the clock shows it, and of the processors' time, which is what to look
at where other programs run too.
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
    "dtypes", ["float32", "bfloat16"], "of the products; each is held against its own product"
)
flags.DEFINE_integer("batch_size", 512, "examples a step", 1)
flags.DEFINE_integer("classes", 54, "classes of the group", 1)
flags.DEFINE_integer("rounds", 7, "rounds; medians are printed", 1)
# The product is shaped like one of a block's: a larger one is no faster here.
ROWS, INNER, COLUMNS = 1024, 1152, 3600


def spent(function: Callable[[], Any]) -> tuple[float, float]:
    """Return (seconds, processors' seconds) of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - cpu


def group_step(
    width: int, k: int, classes: int, batch_size: int, dtype: str
) -> tuple[Callable[[], None], int]:
    """Return a function that takes one training step of a whole group, and how many kernel weights that has."""
    rng = np.random.default_rng(0)
    blocks: list[MixtureBlock] = [
        MixtureBlock(part, n, width)
        for n, part in cut(range(classes), [k] * classes, width, batch_size)
    ]
    for block in blocks:
        block.prepare()
        block.start(0, classes)
    steps = [training_step("CrossEntropyLoss", 1e-8, 0.0, b.class_major, b.shapes) for b in blocks]
    x = rng.normal(size=(batch_size, width)).astype(np.float32) / np.float32(np.sqrt(width))
    labels = [(rng.random((batch_size, len(b.classes))) < 0.001).astype(np.uint8) for b in blocks]
    rate, power_1, power_2, total = (
        tf.constant(1e-3),
        tf.constant(0.9),
        tf.constant(0.999),
        tf.Variable(0.0),
    )

    def one() -> None:
        features = tf.cast(tf.constant(x), dtype)
        for block, step, y in zip(blocks, steps, labels):
            step(
                features,
                tf.constant(y),
                block.weights,
                block.moments,
                rate,
                power_1,
                power_2,
                total,
            )
        total.numpy()

    return one, sum(int(np.prod(w.shape)) for b in blocks for w in b.weights[:2])


def main() -> None:
    """Measure step and product in turn, so that a machine whose speed drifts is the same for both."""
    for case in FLAGS.cases:
        width, k = (int(n) for n in case.split("x"))
        for dtype in FLAGS.dtypes:
            one, weights = group_step(width, k, FLAGS.classes, FLAGS.batch_size, dtype)
            a, b = (tf.cast(tf.random.normal(s), dtype) for s in ((ROWS, INNER), (INNER, COLUMNS)))
            product = tf.function(lambda a=a, b=b: tf.matmul(a, b)[0, 0])
            spent(one), spent(lambda: product().numpy())
            rounds = [
                (*spent(one), *spent(lambda: [product().numpy() for _ in range(8)]))
                for _ in range(FLAGS.rounds)
            ]
            wall, cpu, product_wall, product_cpu = np.median(rounds, axis=0)
            flop = (
                4.0 * FLAGS.batch_size * weights
            )  # forward and the kernels' gradient; features need none
            product_flop = 8 * 2.0 * ROWS * INNER * COLUMNS
            print(
                f"D = {width}, k = {k}, {FLAGS.classes} classes ({weights / 1e6:.1f} M weights), batch {FLAGS.batch_size}, {dtype}:"
                f" {FLAGS.batch_size / wall:,.0f} examples/s, {flop / wall / 1e9:,.0f} GFLOP/s;"
                f" product {product_flop / product_wall / 1e9:,.0f} GFLOP/s;"
                f" share {flop / wall / (product_flop / product_wall):.2f}, of processor time {flop / cpu / (product_flop / product_cpu):.2f};"
                f" peak memory so far {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB",
                flush=True,
            )


if __name__ == "__main__":
    cli.run(main)
