"""A few clips with classes of their own: learnt from nothing, or from a run with other classes.

The clips are AudioSet's. Ten of its classes, evenly spaced in its list, play the new ones: their
clips get labels from 0 to 9 and a vocabulary of their own. The clips without any of them, with the
labels 0 to 516 and another vocabulary, are what the first run learns.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

import yt8m
from yt8m.data.files.shards import find_shards
from yt8m.data.records.writers import write_shard
from yt8m.data.vocabulary import FILE, write_vocabulary
from yt8m.evaluation.evaluate_run import evaluate_run
from yt8m.runs.trained_model import TrainedModel

NEW = range(26, 527, 52)  # ten classes
OLD = [c for c in range(527) if c not in NEW]
CLIPS = 20  # of each new class, to train on
MODEL = "FeatureAttentionModel"
# A smaller network than the published one, so that the first run takes minutes.
_COMMON: dict[str, Any] = {"arguments": {"hidden_size": 512}, "dtype": "float32"}
_FIRST = {**_COMMON, "num_epochs": 10}
_TUNED = {**_COMMON, "num_epochs": 40, "batch_size": 32}
WAYS: dict[str, dict[str, Any]] = {
    "new": {},
    "fine-tuned": {"from": True},
    "fine-tuned, trunk frozen": {"from": True, "freeze_trunk": True},
}


def old_clips(audioset: str, folder: Path) -> str:
    """Write the training clips of the old classes, and return their pattern."""
    records = (
        _relabelled(record, OLD)
        for record in _records(audioset, "train")
        if not _labels(record) & {*NEW}
    )
    return _written(folder / "old", "train", OLD, records)


def new_clips(audioset: str, folder: Path, seed: int) -> tuple[str, str]:
    """Write clips of the new classes, and return the patterns of those to train on and of the rest.

    Args:
      audioset: folder with `train/` and `validate/`.
      folder: folder to write to.
      seed: chooses the clips to train on.
    """
    wanted = {*NEW}
    clips = [r for r in _records(audioset, "train") if _labels(r) & wanted]
    random.Random(seed).shuffle(clips)
    few: dict[int, list[bytes]] = {c: [] for c in NEW}
    for record in clips:
        rarest = max(_labels(record) & wanted)
        if len(few[rarest]) < CLIPS:
            few[rarest].append(record)
    chosen = [_relabelled(record, NEW) for each in few.values() for record in each]
    random.Random(seed).shuffle(chosen)
    train = _written(folder / f"new-{seed}", "train", NEW, chosen)
    rest = (_relabelled(r, NEW) for r in _records(audioset, "validate") if _labels(r) & wanted)
    return train, _written(folder / "new", "validate", NEW, rest)


def first_run(pattern: str, folder: Path) -> str:
    """Train the run that others start from, and return its folder."""
    run = str(folder / "old-classes")
    yt8m.train(MODEL, pattern, train_dir=run, **_FIRST)
    return run


def scores(
    way: str, seed: int, patterns: tuple[str, str], first: str, folder: Path
) -> dict[str, float]:
    """Train in one of `WAYS` on a few clips, and return GAP and MAP on the rest.

    Args:
      way: one of `WAYS`.
      seed: that of the run.
      patterns: the clips to train on, and the rest.
      first: folder of the run with the old classes.
      folder: folder of the runs of this seed.
    """
    settings, run = dict(WAYS[way]), str(folder / way)
    if settings.pop("from", False):
        settings["init_from"] = first
    yt8m.train(MODEL, patterns[0], train_dir=run, seed=seed, **_TUNED, **settings)
    trained = TrainedModel(run, "last")
    found = evaluate_run(trained, patterns[1], str(folder / way / "eval"), say=lambda line: None)
    return {name.upper(): round(float(found[name]), 4) for name in ("gap", "map")}


def _records(audioset: str, split: str) -> Iterator[bytes]:
    pattern = os.path.join(audioset, split, "*.tfrecord")
    for path in find_shards(pattern, "--audioset_dir"):
        yield from tf.data.TFRecordDataset(path).as_numpy_iterator()


def _labels(record: bytes) -> set[int]:
    example = tf.train.SequenceExample.FromString(record)
    return {*example.context.feature["labels"].int64_list.value}


def _relabelled(record: bytes, classes: Sequence[int]) -> bytes:
    """Return a record with only the labels in `classes`, each replaced by its place there."""
    example = tf.train.SequenceExample.FromString(record)
    labels = example.context.feature["labels"].int64_list
    kept = sorted(classes.index(c) for c in labels.value if c in classes)
    labels.value[:] = kept
    return bytes(example.SerializeToString(deterministic=True))


def _written(
    folder: Path, split: str, classes: Sequence[int], records: Iterator[bytes] | list[bytes]
) -> str:
    """Write a shard and the vocabulary of its classes, unless they are there; return its path."""
    path = folder / f"{split}.tfrecord"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_vocabulary(str(folder / FILE), [f"AudioSet class {c}" for c in classes])
        write_shard(str(path), records)
    return str(path)
