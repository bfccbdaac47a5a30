"""Seconds of a step's matrix products alone, and of one pass over 126 MB of memory.

`python -m benchmarks.children.products --dtype=bfloat16 --shapes=1024x1152x19310,32x1024x4096*300`
"""

from __future__ import annotations

import yt8m.process.quiet  # noqa: F401

import argparse
import json
import re
import statistics
import time
from typing import Any, Callable

import tensorflow as tf

COPIED = 126e6  # bytes that the pass reads and writes together


def seconds(function: Callable[[], Any]) -> float:
    """Return the seconds of a call whose result is a tensor."""
    start = time.perf_counter()
    function().numpy()
    return time.perf_counter() - start


def parse(shape: str) -> tuple[int, int, int, int]:
    """Return (rows, inner, columns, repeats) of "ROWSxINNERxCOLUMNS*REPEATS"."""
    found = re.fullmatch(r"(\d+)x(\d+)x(\d+)(?:\*(\d+))?", shape)
    if not found:
        raise ValueError(f"--shapes: {shape} is not ROWSxINNERxCOLUMNS or ROWSxINNERxCOLUMNS*N")
    rows, inner, columns, repeats = found.groups(default="1")
    return int(rows), int(inner), int(columns), int(repeats)


def product(rows: int, inner: int, columns: int, dtype: str) -> Callable[[], tf.Tensor]:
    """Return a function that computes a product and returns one number of it."""
    a = tf.cast(tf.random.normal([rows, inner]), dtype)
    b = tf.cast(tf.random.normal([inner, columns]), dtype)
    compiled = tf.function(lambda x, y: tf.cast(tf.matmul(x, y)[0, 0], tf.float32))
    return lambda: compiled(a, b)


def copy() -> Callable[[], tf.Tensor]:
    """Return a function that reads a vector and writes as large a one."""
    x = tf.ones([int(COPIED / 8)])
    compiled = tf.function(lambda v: (v + 1.0)[0])
    return lambda: compiled(x)


def main() -> None:
    """Time the products and the copy in turn, and print medians as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--shapes", required=True)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    shapes = [parse(shape) for shape in arguments.shapes.split(",")]
    timed = [product(*shape[:3], arguments.dtype) for shape in shapes] + [copy()]
    for function in timed:
        seconds(function)
    rounds = [[seconds(function) for function in timed] for _ in range(arguments.rounds)]
    *each, copied = (statistics.median(column) for column in zip(*rounds))
    total = sum(one * shape[3] for one, shape in zip(each, shapes))
    flop = sum(2.0 * rows * inner * columns * n for rows, inner, columns, n in shapes)
    result = {"seconds": total, "gflops": flop / total / 1e9, "copy_gb_s": COPIED / copied / 1e9}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
