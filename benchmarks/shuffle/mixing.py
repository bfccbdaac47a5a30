"""How mixed the batches of an epoch are, computed from numbers in place of records.

The order of an epoch follows from the number of records of each shard, from which shards take turns
(`yt8m.data.files.reader`) and from the shuffle buffer; `tests/benchmarks/test_shuffle.py` compares
it with that of the pipeline.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from yt8m.data.files.reader import block_of
from yt8m.data.files.resume import interleaved

_TOGETHER = 1 << 16
_BATCHES = 400  # of an epoch, evenly spaced


@dataclasses.dataclass(frozen=True)
class Reading:
    """How the records of an epoch are shuffled.

    Attributes:
      shards: number of shards that are read together (`--shuffle_shards`).
      buffer: number of records in the shuffle buffer (`--shuffle_buffer`).
    """

    shards: int
    buffer: int


@dataclasses.dataclass(frozen=True)
class Mixing:
    """How mixed the batches are; 1 is a perfect shuffle.

    Attributes:
      within: pairs of records of one shard in a batch, divided by those in a perfect shuffle.
      successive: the same of pairs with one record in a batch and one in the next.
      different: mean number of different shards in a batch.
      moved: mean distance from a record's place before the buffer to that behind it, in records.
    """

    within: float
    successive: float
    different: float
    moved: float


def shard_sizes(shards: int, mean: float, deviation: float, seed: int = 0) -> np.ndarray:
    """Return numbers of records, int [shards], normally distributed as those of the release."""
    drawn = np.random.default_rng(seed).normal(mean, deviation, shards)
    return np.maximum(1, drawn.round()).astype(np.int64)


def epoch(sizes: np.ndarray, reading: Reading, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the shard of each record of an epoch, and its place before the shuffle buffer."""
    order = np.random.default_rng(seed).permutation(len(sizes))
    counts, block = [int(n) for n in sizes[order]], block_of(reading.shards)
    shards = order[interleaved(counts, reading.shards, block, int(sizes.sum()))]
    numbers = tf.data.Dataset.range(len(shards)).shuffle(reading.buffer, seed=seed)
    places = np.concatenate(list(numbers.batch(_TOGETHER).as_numpy_iterator()))
    return shards[places], places


def mixing(shards: np.ndarray, places: np.ndarray, batch_size: int) -> Mixing:
    """Return how mixed the batches of an epoch are.

    Args:
      shards: shard of each record in the order in which they are trained on.
      places: place of each record before the shuffle buffer.
      batch_size: records in a batch.
    """
    sizes = np.bincount(shards)
    total = len(shards)
    alike = (sizes * (sizes - 1.0)).sum() / (total * (total - 1.0))  # of two records, by chance
    batches = shards[: total // batch_size * batch_size].reshape(-1, batch_size)
    chosen = np.unique(np.linspace(0, len(batches) - 2, _BATCHES).astype(int))
    within, successive, different = [], [], []
    for i in chosen:
        here, then = (np.bincount(batches[j], minlength=len(sizes)) for j in (i, i + 1))
        within.append((here * (here - 1.0)).sum() / 2)
        successive.append((here * then).sum())
        different.append((here > 0).sum())
    pairs = batch_size * (batch_size - 1) / 2
    return Mixing(
        float(np.mean(within) / (pairs * alike)),
        float(np.mean(successive) / (batch_size**2 * alike)),
        float(np.mean(different)),
        float(np.abs(places - np.arange(total)).mean()),
    )
