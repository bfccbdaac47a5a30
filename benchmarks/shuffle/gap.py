"""The GAP of a model whose records were shuffled in one way or another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.shuffle.mixing import Reading
from yt8m import files
from yt8m.data.records.writers import write_shard
from yt8m.runs.new_run import new_run
from yt8m.training.trainer import train

_NO_LABEL = 1 << 30


def sorted_shards(paths: Sequence[str], folder: Path) -> str:
    """Write the records sorted by their first label, and return the glob of the new shards.

    It is the worst case: the videos of a shard are alike.
    """
    pattern = str(folder / "*.tfrecord")
    if (folder / "whole").exists():
        return pattern
    folder.mkdir(parents=True, exist_ok=True)
    records, labels, sizes = [], [], []
    for path in paths:
        found = list(tf.data.TFRecordDataset(path).as_numpy_iterator())
        sizes.append(len(found))
        records += found
        labels += [_first_label(record) for record in found]
    order = np.lexsort((np.random.default_rng(0).random(len(labels)), labels))
    for i, part in enumerate(np.split(order, np.cumsum(sizes)[:-1])):
        write_shard(str(folder / f"{i:04d}.tfrecord"), [records[j] for j in part])
    (folder / "whole").touch()
    return pattern


def _first_label(record: bytes) -> int:
    feature = tf.train.Example.FromString(record).features.feature["labels"]
    return min(feature.int64_list.value, default=_NO_LABEL)


def gap(
    model: str, train_data: str, eval_data: str, reading: Reading, seed: int, folder: Path
) -> float:
    """Train a model by its recipe, and return its GAP at the end of the last epoch."""
    made = new_run(
        model,
        train_data,
        eval_data,
        seed=seed,
        dtype="float32",
        shuffle_shards=reading.shards,
        shuffle_buffer=reading.buffer,
    )
    train(made.config, str(folder))
    found: float = files.read_json(str(folder / "last" / "metrics.json"))["gap"]
    return found
