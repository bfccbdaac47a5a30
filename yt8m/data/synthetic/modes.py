"""Video-level records of one class each, where each class has many separate modes."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from yt8m.data.records.writers import video_record, write_shard


@dataclasses.dataclass(frozen=True)
class ModesSpec:
    """Size and difficulty of a set of videos whose classes have many modes.

    Attributes:
      num_classes: K, all equally frequent.
      modes: points around which the videos of a class lie, each equally often.
      feature_sizes: widths of mean_rgb and mean_audio, together D.
      noise: standard deviation of a video's feature around its mode; that of the modes is 1.
      num_shards: shards of a split.
      seed: equal specs have the same modes.
    """

    num_classes: int = 200
    modes: int = 24
    feature_sizes: tuple[int, int] = (24, 8)
    noise: float = 0.6
    num_shards: int = 8
    seed: int = 0


def write_modes(folder: str, name: str, videos: int, spec: ModesSpec, stream: int) -> None:
    """Write a split, without the shards that are already there.

    Args:
      folder: folder of the shards.
      name: beginning of the shards' names and of the videos' ids.
      videos: number of videos.
      spec: the classes and their modes.
      stream: another number gives other videos of the same classes.
    """
    for shard in range(spec.num_shards):
        path = os.path.join(folder, f"{name}{shard:04d}.tfrecord")
        count = len(range(shard, videos, spec.num_shards))
        if not tf.io.gfile.exists(path):
            write_shard(path, _records(f"{name}{shard}-", count, spec, [stream + 1, shard]))


def draw(spec: ModesSpec, videos: int, stream: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the features float32 [n, D] and the class int64 [n] of so many videos."""
    size = sum(spec.feature_sizes)
    shape = (spec.num_classes, spec.modes, size)
    centres = np.random.default_rng([spec.seed, 0]).standard_normal(shape, np.float32)
    rng = np.random.default_rng([spec.seed, *stream])
    classes = rng.integers(spec.num_classes, size=videos)
    modes = rng.integers(spec.modes, size=videos)
    noise = np.float32(spec.noise) * rng.standard_normal((videos, size), np.float32)
    return centres[classes, modes] + noise, classes


def _records(prefix: str, videos: int, spec: ModesSpec, stream: list[int]) -> Iterator[bytes]:
    features, classes = draw(spec, videos, stream)
    rgb = spec.feature_sizes[0]
    for i, (values, label) in enumerate(zip(features, classes)):
        means = {"mean_rgb": values[:rgb], "mean_audio": values[rgb:]}
        yield video_record(f"{prefix}{i}".encode(), means, [label])
