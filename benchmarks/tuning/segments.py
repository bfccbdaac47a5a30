"""Five-second segments: learnt from whole videos, from ratings, or from one after the other.

The world is that of `synthetic-temporal` (yt8m.papers), with ratings: some classes differ only in
the order of their scenes. No run is validated, so that none of its models is chosen by the segments
on which the last one is measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

import yt8m
from yt8m.data.files.shards import find_shards
from yt8m.data.records.writers import write_shard
from yt8m.data.synthetic.dataset import SyntheticPaths, SyntheticSpec, make_synthetic
from yt8m.evaluation.evaluate_run import evaluate_run
from yt8m.papers.small_data import DEFAULT_SIZES
from yt8m.runs.trained_model import TrainedModel

LONGEST = 48  # frames
# As many steps with a quarter of the videos, and half as many with a twentieth.
_RATED = {"segment_labels": True, "num_epochs": 4}
_QUARTER = {"segment_labels": True, "num_epochs": 16, "videos": 1000}
_FEW = {"segment_labels": True, "num_epochs": 40, "videos": 200}
# The settings of each way; "from" names the one whose run this one starts with, and "videos" is how
# many it reads.
WAYS: dict[str, dict[str, Any]] = {
    "videos": {"max_frames": LONGEST},
    "videos, twice as long": {"max_frames": LONGEST, "num_epochs": 16},
    "segments": _RATED,
    "videos, then segments": {**_RATED, "from": "videos"},
    "a quarter of the segments": _QUARTER,
    "videos, then a quarter of the segments": {**_QUARTER, "from": "videos"},
    "a twentieth of the segments": _FEW,
    "videos, then a twentieth of the segments": {
        **_FEW,
        "from": "videos",
        "base_learning_rate": 0.001,
    },
}


def make_world(folder: Path) -> SyntheticPaths:
    """Write the records, unless they are there."""
    train, validate = DEFAULT_SIZES.synthetic
    spec = SyntheticSpec(
        videos=(("train", train), ("validate", validate)),
        feature_sizes=DEFAULT_SIZES.synthetic_features,
        segment_labels=True,
    )
    return make_synthetic(str(folder), spec)


def _first(pattern: str, videos: int) -> str:
    """Write the first records of the first shard of a pattern into a shard, and return its path."""
    path = Path(pattern).with_name(f"first{videos}.tfrecord")
    if not path.exists():
        first = tf.data.TFRecordDataset(find_shards(pattern)[0])
        write_shard(str(path), first.take(videos).as_numpy_iterator())
    return str(path)


def segment_map(
    world: SyntheticPaths, model: str, way: str, seed: int, folder: Path
) -> dict[str, float]:
    """Train a model in one of `WAYS`, and return its segment MAP.

    Args:
      world: the records.
      model: registered name.
      way: one of `WAYS`.
      seed: that of the run.
      folder: folder of the runs of this model and seed.
    """
    settings = dict(WAYS[way])
    if "from" in settings:
        settings["init_from"] = str(folder / settings.pop("from"))
    run, train = str(folder / way), world.pattern("train", "frame")
    if "videos" in settings:
        train = _first(train, settings.pop("videos"))
    yt8m.train(model, train, train_dir=run, seed=seed, dtype="float32", **settings)
    trained = TrainedModel(run, "last", segment_labels=True)
    validate = world.pattern("validate", "frame")
    found = evaluate_run(trained, validate, str(folder / way / "eval"), say=lambda line: None)
    return {"segment MAP": round(float(found["segment_map"]), 4)}
