"""Which shards a task reads, and which of their records: by the data and the seed alone, never by who computes."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

TASK_BYTES = (
    8 << 20
)  # some 1,500 video-level records; a frame-level shard of the release is a task of its own


@dataclasses.dataclass(frozen=True)
class Rows:
    """A random choice of a shard list's records: each stays with probability `fraction`, as `seed` decides."""

    fraction: float
    seed: tuple[int, ...]

    def keeps(self) -> Iterator[bool]:
        """Yield for each record, in order, whether it stays."""
        rng = np.random.default_rng(list(self.seed))
        while True:
            yield from (rng.random(1024) < self.fraction).tolist()


@dataclasses.dataclass(frozen=True)
class ShardTask:
    """Shards that one task reads in order, and the choice among their records (None: all)."""

    shards: tuple[str, ...]
    rows: Rows | None = None


def pack_shards(shards: Sequence[str], task_bytes: int = TASK_BYTES) -> list[ShardTask]:
    """Put neighbouring small shards into one task of at most `task_bytes` (larger shards are tasks of their own).

    A task costs a few hundredths of a second and a message as large as the gradient, so a file of a megabyte is too
    little for one. The packing follows from the files' sizes alone: any number of workers gets the same tasks, and
    so the same sums.
    """
    with concurrent.futures.ThreadPoolExecutor(
        32
    ) as pool:  # remote files take their time to answer
        sizes = list(pool.map(lambda path: tf.io.gfile.stat(path).length, shards))
    tasks: list[list[str]] = []
    held = 0
    for path, size in zip(shards, sizes):
        if not tasks or held + size > task_bytes:
            tasks.append([])
            held = 0
        tasks[-1].append(path)
        held += size
    return [ShardTask(tuple(paths)) for paths in tasks]


def draw_fraction(
    tasks: Sequence[ShardTask], fraction: float, seed: int, iteration: int
) -> list[ShardTask]:
    """Return a fresh random part of the data for one iteration, the same for equal arguments (spec D.7, batch fractions).

    Both tasks and records within them are drawn, √fraction of each: 1 % of the data is a tenth of the records in a
    tenth of the tasks, so that a small batch is not read from every file, nor taken from one.

    Args:
      tasks: all of the data.
      fraction: expected share of the records, above 0 and at most 1 (all).
      seed, iteration: decide the draw.
    """
    if not 0.0 < fraction <= 1.0:
        raise ValueError(f"a fraction is above 0 and at most 1, not {fraction}")
    if fraction == 1.0:
        return list(tasks)
    count = math.ceil(len(tasks) * math.sqrt(fraction))
    chosen = np.sort(
        np.random.default_rng([seed, iteration]).choice(len(tasks), count, replace=False)
    )
    share = fraction * len(tasks) / count
    return [
        dataclasses.replace(tasks[i], rows=Rows(share, (seed, iteration, int(i)))) for i in chosen
    ]
