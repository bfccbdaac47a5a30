"""A small, learnable data set in the official format, for the demo, tests and benchmarks.

A video is a sequence of scenes. A label shows in only one or two of them, other scenes are
distractors that belong to no class, and some classes differ only in the order of two scenes.
Classes are long-tailed, about three per video.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from yt8m import locks
from yt8m.data.records.quantization import dequantize
from yt8m.data.records.writers import frame_record, video_record, write_shard
from yt8m.data.synthetic.world import SyntheticSpec, Video, World
from yt8m.data.vocabulary import FILE, write_vocabulary
from yt8m.errors import UserError
from yt8m.files import read_json, write_text

_DONE = "synthetic.json"
_BEGUN = "synthetic.begun"  # until it is done: a killed process may have left some of the shards


@dataclasses.dataclass(frozen=True)
class SyntheticPaths:
    """The files of a synthetic data set."""

    folder: str

    def pattern(self, split: str, level: str) -> str:
        """Return the glob of a split ("train", "validate", "test") at level "video" or "frame"."""
        return os.path.join(self.folder, level, f"{split}*.tfrecord")


def is_synthetic(pattern: str) -> bool:
    """Return whether a pattern's records are in a folder that `make_synthetic` wrote."""
    above = os.path.dirname(os.path.dirname(pattern))
    return bool(tf.io.gfile.exists(os.path.join(above, _DONE)))


def make_synthetic(
    out_dir: str, spec: SyntheticSpec | None = None, flag: str = "--out_dir="
) -> SyntheticPaths:
    """Write a synthetic data set, unless it is already there.

    The video-level records contain the means of the frame-level ones.

    Args:
      out_dir: folder; it gets `frame/` and `video/`, each with shards and a vocabulary.csv.
      spec: size and difficulty.
      flag: text before the folder's name in messages.

    Returns:
      The paths of the shards.

    Raises:
      UserError: the folder contains another data set, cannot be written, or is being written.
    """
    spec = spec or SyntheticSpec()
    done, begun = (os.path.join(out_dir, name) for name in (_DONE, _BEGUN))
    if not tf.io.gfile.exists(done):
        with locks.held(locks.inside(out_dir), f"{flag}{out_dir}"):
            if not tf.io.gfile.exists(begun):
                _refuse_others(out_dir, flag)
            try:
                tf.io.gfile.makedirs(out_dir)
                write_text(begun, spec.about() + "\n")
                _write(out_dir, World(spec))
                write_text(done, spec.about() + "\n")
                tf.io.gfile.remove(begun)
            except (tf.errors.OpError, OSError) as error:
                reason = getattr(error, "message", error)
                raise UserError(f"{flag}{out_dir} cannot be written ({reason}).") from None
    if read_json(done) != json.loads(spec.about()):
        raise UserError(
            f"{flag}{out_dir} contains a synthetic data set made with other settings; name"
            " another folder."
        )
    return SyntheticPaths(out_dir)


def _refuse_others(out_dir: str, flag: str) -> None:
    """Refuse a folder whose records would be replaced.

    Raises:
      UserError: there are some.
    """
    for level in ("video", "frame"):
        folder = os.path.join(out_dir, level)
        names = tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else []
        others = sorted(n for n in names if n == FILE or n.endswith(".tfrecord"))
        if others:
            raise UserError(
                f"{flag}{out_dir} has {level}/{others[0]}, but no {_DONE} of a synthetic data set;"
                " name another folder."
            )


def _write(out_dir: str, world: World) -> None:
    spec = world.spec
    counts = np.zeros(spec.num_classes, np.int64)
    for index, (split, videos) in enumerate(spec.videos):
        made: dict[str, list[bytes]] = {"video": [], "frame": []}
        for video, frame in _records(world, split, index + 1, videos, counts):
            made["video"].append(video)
            made["frame"].append(frame)
        for shard in range(spec.num_shards):
            for level, own in made.items():
                path = os.path.join(out_dir, level, f"{split}{shard:04d}.tfrecord")
                write_shard(path, own[shard :: spec.num_shards])
    names = [world.class_name(c) for c in range(spec.num_classes)]
    for level in ("video", "frame"):
        write_vocabulary(os.path.join(out_dir, level, FILE), names, counts)


def _records(
    world: World, split: str, stream: int, videos: int, counts: np.ndarray
) -> Iterator[tuple[bytes, bytes]]:
    """Yield each video's video-level and frame-level record; count training labels in `counts`."""
    rng = np.random.default_rng([world.spec.seed, stream])
    # Ratings have a generator of their own, so that videos are the same without them.
    rater = np.random.default_rng([world.spec.seed, stream, 1])
    rated = world.spec.segment_labels and split != "test"
    for i in range(videos):
        video = world.video(rng)
        if split == "train":
            counts[video.labels] += 1
        ratings = world.ratings(video, rater) if rated else None
        labels = None if split == "test" else video.labels
        yield _two_records(world, f"{split[:2]}{i:05d}".encode(), video, labels, ratings)


def _two_records(
    world: World,
    video_id: bytes,
    video: Video,
    labels: list[int] | None,
    ratings: list[tuple[int, int, float]] | None,
) -> tuple[bytes, bytes]:
    rgb = world.spec.feature_sizes[0]
    mean = dequantize(video.frames).mean(0)
    means = {"mean_rgb": mean[:rgb], "mean_audio": mean[rgb:]}
    frames = {"rgb": video.frames[:, :rgb], "audio": video.frames[:, rgb:]}
    return (
        video_record(video_id, means, labels),
        frame_record(video_id, frames, labels, segments=ratings),
    )
