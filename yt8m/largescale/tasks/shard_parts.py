"""The shards that a task reads, and the records chosen from them.

Both depend only on the data and the seed, never on the worker that computes the task.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np

from yt8m import listing

# About 1,500 video-level records. A frame-level shard of the release is larger, a task of its own.
TASK_BYTES = 8 << 20
_MOST_BYTES = 512 << 20  # what is lost with a worker stays small
_TASKS = 10_000  # that keep thousands of workers busy; more only cost messages and sums


@dataclasses.dataclass(frozen=True)
class Rows:
    """A random choice among the records of some shards.

    Attributes:
      fraction: the probability with which each record is kept.
      seed: decides the choice.
    """

    fraction: float
    seed: tuple[int, ...]

    def keeps(self) -> Iterator[bool]:
        """Yield for each record, in order, whether it is kept."""
        rng = np.random.default_rng(list(self.seed))
        while True:
            yield from (rng.random(1024) < self.fraction).tolist()


@dataclasses.dataclass(frozen=True)
class ShardTask:
    """The shards that one task reads, in order, and the choice among their records (None: all)."""

    shards: tuple[str, ...]
    rows: Rows | None = None


def pack_shards(shards: Sequence[str], task_bytes: int = 0) -> list[ShardTask]:
    """Group neighbouring shards into tasks of at most `task_bytes`; a larger shard is its own task.

    A task costs a few hundredths of a second and a message as large as the gradient, so a file of a
    megabyte is too small for a task of its own. The grouping depends only on the sizes of the
    files: any number of workers gets the same tasks, and so the same sums.

    Args:
      shards: paths, in order.
      task_bytes: 0 chooses from the data: a 10,000th of it, but at least 8 MB and at most 512 MB.
    """
    tasks: list[list[str]] = []
    held, sizes = 0, list(listing.sizes(shards))
    task_bytes = task_bytes or min(max(sum(sizes) // _TASKS, TASK_BYTES), _MOST_BYTES)
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
    """Return a new random part of the data for one iteration.

    Source: docs/sources.md#batch-fractions.

    A share √fraction of the tasks is drawn, and then the same share of the records within them: 1 %
    of the data is a tenth of the records in a tenth of the tasks. So a small batch comes neither
    from every file nor from only one. Equal arguments give equal draws.

    Args:
      tasks: all of the data.
      fraction: the expected share of the records, above 0 and at most 1 (all).
      seed: decides the draw, together with `iteration`.
      iteration: the number of the iteration.

    Raises:
      ValueError: `fraction` is out of range.
    """
    if not 0.0 < fraction <= 1.0:
        raise ValueError(f"fraction must be above 0 and at most 1, not {fraction}")
    if fraction == 1.0:
        return list(tasks)
    count = math.ceil(len(tasks) * math.sqrt(fraction))
    rng = np.random.default_rng([seed, iteration])
    chosen = np.sort(rng.choice(len(tasks), count, replace=False))
    share = fraction * len(tasks) / count
    return [
        dataclasses.replace(tasks[i], rows=Rows(share, (seed, iteration, int(i)))) for i in chosen
    ]
