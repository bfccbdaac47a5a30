"""Which shards a resumed run need not open, because it has trained on all of their records.

The interleaved order of the records follows from the number of records of each shard, and the
shuffle's choice among them from its seed. Both are repeated here with numbers in place of records.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Callable

import numpy as np
import tensorflow as tf

_TOGETHER = 1 << 16  # numbers that are shuffled together
_ENDLESS = 1 << 62

Shuffle = Callable[[tf.data.Dataset], tf.data.Dataset]


def interleaved(counts: Sequence[int | None], cycle: int, block: int, length: int) -> np.ndarray:
    """Return the shard of each of the first `length` records that an interleave yields.

    Args:
      counts: number of records of each shard, or None for one that does not end in this part.
      cycle: number of shards that are open at once.
      block: number of records that are taken from one before the next one's turn.
      length: number of records; fewer are returned if all shards end before.
    """
    waiting = deque(enumerate(counts))
    slots: list[list[int] | None] = [None] * min(cycle, len(counts))  # shard and records left
    shards: list[int] = []
    lengths: list[int] = []
    done, at = 0, 0
    while done < length and (waiting or any(slots)):
        slot = slots[at]
        if slot is None and waiting:
            shard, count = waiting.popleft()
            slot = slots[at] = [shard, _ENDLESS if count is None else count]
        if slot is not None:
            taken = min(block, slot[1])
            shards.append(slot[0])
            lengths.append(taken)
            done += taken
            slot[1] -= taken
            if taken < block:  # its end was met
                slots[at] = None
        at = (at + 1) % len(slots)
    return np.repeat(np.array(shards, np.int32), np.array(lengths, np.int64))[:length]


def finished_shards(
    counts: Sequence[int | None],
    cycle: int,
    block: int,
    done: int,
    shuffle: Shuffle | None = None,
) -> np.ndarray:
    """Return which shards have no record but those that were done, bool [number of shards].

    Args:
      counts: number of records of each shard, or None for one that was not read to its end.
      cycle: number of shards that are open at once.
      block: number of records that are taken from one before the next one's turn.
      done: number of records of the stream that were done.
      shuffle: the shuffle of the interleaved stream, or None.
    """
    known = None not in counts
    total = sum(count or 0 for count in counts) if known else _ENDLESS
    taken = np.arange(done)
    if shuffle is not None:
        numbers = shuffle(tf.data.Dataset.range(total)).take(done).batch(_TOGETHER)
        taken = np.concatenate([np.zeros(0, np.int64), *numbers.as_numpy_iterator()])
    if not len(taken):
        return np.zeros(len(counts), bool)
    shards = interleaved(counts, cycle, block, int(taken.max()) + 1)
    if len(shards) <= taken.max():  # the shards end before: these are other numbers
        return np.zeros(len(counts), bool)
    of_each = np.bincount(shards[taken], minlength=len(counts))
    return np.array([n == count for n, count in zip(of_each, counts)])
