"""A small, learnable data set in the official format, with temporal structure; for demo, tests and benchmarks.

A video is a row of scenes. A label shows in one or two scenes only, other scenes are distractors that
belong to no class, and some classes differ in nothing but the order of two scenes. Classes are
long-tailed, about three a video.

`python -m yt8m.data.synthetic --out_dir=DIR` makes one; with `--from_video_level=PATTERN` it
builds frame-level records around real video-level means instead. `--segment_labels` adds ratings of
five-second segments, as the 2019 release has them, to the frame-level records.
"""

from __future__ import annotations

import yt8m.quiet  # noqa: F401

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.pipeline import build_dataset
from yt8m.data.records.quantization import dequantize, quantize
from yt8m.data.records.writers import frame_record, video_record, write_shard
from yt8m.data.synthetic.ratings import rate_segments
from yt8m.data.vocabulary import FILE, write_vocabulary
from yt8m.errors import UserError


@dataclasses.dataclass(frozen=True)
class SyntheticSpec:
    """How large a synthetic data set is, and how hard.

    Attributes:
      videos: split -> number of videos; the test split has no labels.
      num_classes: K; the last two fifths are pairs that differ in the order of their scenes alone.
      feature_sizes: of rgb and audio.
      min_frames, max_frames: of a video.
      noise: standard deviation of a frame's noise in each dimension, a scene's signal being 0.25.
      num_shards: a split.
      seed: equal specs give equal bytes.
      segment_labels: frame-level records have ratings of five-second segments too, but for the test split's; all else stays
        the same.
    """

    videos: tuple[tuple[str, int], ...] = (("train", 3000), ("validate", 600), ("test", 600))
    num_classes: int = 30
    feature_sizes: tuple[int, int] = (1024, 128)
    min_frames: int = 24
    max_frames: int = 48
    noise: float = 0.5
    num_shards: int = 4
    seed: int = 0
    segment_labels: bool = False

    def about(self) -> str:
        """Return what tells this data set from others, as JSON; without ratings as before there were any."""
        values = dataclasses.asdict(self)
        if not self.segment_labels:
            del values["segment_labels"]
        return json.dumps(values, sort_keys=True)


@dataclasses.dataclass(frozen=True)
class SyntheticPaths:
    """Where a synthetic data set lies."""

    folder: str

    def pattern(self, split: str, level: str) -> str:
        """Return the glob of a split ("train", "validate", "test") at a level ("video", "frame")."""
        return os.path.join(self.folder, level, f"{split}*.tfrecord")


class _World:
    """The scenes of a data set, and how videos are drawn from them."""

    def __init__(self, spec: SyntheticSpec):
        self.spec = spec
        rng = np.random.default_rng(spec.seed)
        k = spec.num_classes
        self.num_pairs = k // 5
        self.first_paired = k - 2 * self.num_pairs
        width = sum(spec.feature_sizes)
        # One scene for a plain class, two for a pair of classes, and as many distractors as classes.
        self.scenes = rng.normal(
            0.0, 0.25, (self.first_paired + 2 * self.num_pairs + k, width)
        ).astype(np.float32)
        self.num_label_scenes = self.first_paired + 2 * self.num_pairs
        # Every second class index is common, so that the tail holds plain and paired classes alike.
        rank = rng.permutation(k)
        weight = 1.0 / (rank + 2.0)
        self.frequency = weight / weight.sum()

    def scenes_of(self, label: int) -> list[int]:
        """Return the scenes of a class, in order."""
        if label < self.first_paired:
            return [label]
        pair, order = divmod(label - self.first_paired, 2)
        scenes = [self.first_paired + 2 * pair, self.first_paired + 2 * pair + 1]
        return scenes if order == 0 else scenes[::-1]

    def script(self, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        """Return (labels, scenes in order) of a new video."""
        count = int(np.clip(rng.poisson(2.0) + 1, 1, 6))
        labels = sorted(
            rng.choice(self.spec.num_classes, count, replace=False, p=self.frequency).tolist()
        )
        blocks: list[list[int]] = []
        kept = []
        for label in labels:
            scenes = self.scenes_of(label)
            if any(sorted(scenes) == sorted(block) for block in blocks):
                continue  # a video cannot show one pair's scenes in both orders
            blocks.append(scenes)
            kept.append(label)
        distractors = rng.integers(self.num_label_scenes, len(self.scenes), int(rng.integers(2, 5)))
        blocks += [[int(d)] for d in distractors]
        rng.shuffle(blocks)
        return kept, [scene for block in blocks for scene in block]

    def frames(
        self, rng: np.random.Generator, scenes: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return (uint8 [n, D] of a video that shows `scenes`, each for at least a frame; the scene of each frame [n])."""
        spec = self.spec
        n = max(int(rng.integers(spec.min_frames, spec.max_frames + 1)), len(scenes))
        cuts = (
            np.sort(rng.choice(np.arange(1, n), len(scenes) - 1, replace=False))
            if len(scenes) > 1
            else np.array([], int)
        )
        which = np.searchsorted(cuts, np.arange(n), side="right")
        shown = np.asarray(scenes)[which]
        x = self.scenes[shown]
        x = x + spec.noise * rng.standard_normal(x.shape, dtype=np.float32)
        return quantize(x), shown


def make_synthetic(out_dir: str, spec: SyntheticSpec | None = None) -> SyntheticPaths:
    """Write a synthetic data set, frame-level and the means of the same videos, unless it is already there.

    Args:
      out_dir: its folder; it gets `frame/` and `video/`, each with shards and a vocabulary.csv.
      spec: how large and how hard.

    Returns:
      Where the shards are.

    Raises:
      UserError: the folder holds a synthetic data set of another kind, or cannot be written.
    """
    spec = spec or SyntheticSpec()
    paths = SyntheticPaths(out_dir)
    done = os.path.join(out_dir, "synthetic.json")
    about = spec.about()
    if tf.io.gfile.exists(done):
        with tf.io.gfile.GFile(done) as f:
            if json.loads(f.read()) == json.loads(about):
                return paths
        raise UserError(
            f"--out_dir={out_dir} holds a synthetic data set made with other settings; name another folder."
        )
    world = _World(spec)
    counts = np.zeros(spec.num_classes, np.int64)
    try:
        for index, (split, videos) in enumerate(spec.videos):
            rng = np.random.default_rng([spec.seed, index + 1])
            # Ratings are drawn apart from the videos, which are the same without them.
            rater = (
                np.random.default_rng([spec.seed, index + 1, 1]) if spec.segment_labels else None
            )
            made = [_make_video(world, rng, split, i, counts, rater) for i in range(videos)]
            for shard in range(spec.num_shards):
                for level in (0, 1):
                    name = f"{split}{shard:04d}.tfrecord"
                    path = os.path.join(out_dir, ("video", "frame")[level], name)
                    write_shard(path, (m[level] for m in made[shard :: spec.num_shards]))
        names = [_class_name(world, c) for c in range(spec.num_classes)]
        for level in ("video", "frame"):
            write_vocabulary(os.path.join(out_dir, level, FILE), names, counts)
        with tf.io.gfile.GFile(done, "w") as f:
            f.write(about + "\n")
    except (tf.errors.OpError, OSError) as error:
        raise UserError(
            f"--out_dir={out_dir} cannot be written ({getattr(error, 'message', error)})."
        )
    return paths


def _class_name(world: _World, c: int) -> str:
    if c < world.first_paired:
        return f"scene {c}"
    pair, order = divmod(c - world.first_paired, 2)
    return f"pair {pair} {'in order' if order == 0 else 'reversed'}"


def _make_video(
    world: _World,
    rng: np.random.Generator,
    split: str,
    i: int,
    counts: np.ndarray,
    rater: np.random.Generator | None,
) -> tuple[bytes, bytes]:
    labels, scenes = world.script(rng)
    frames, shown = world.frames(rng, scenes)
    if split == "train":
        counts[labels] += 1
    rgb = world.spec.feature_sizes[0]
    video_id = f"{split[:2]}{i:05d}".encode()
    mean = dequantize(frames).mean(0)
    known = None if split == "test" else labels
    rated = rater is not None and known is not None
    ratings = (
        rate_segments(shown, labels, world.scenes_of, world.frequency, rater) if rated else None
    )
    return (
        video_record(video_id, {"mean_rgb": mean[:rgb], "mean_audio": mean[rgb:]}, known),
        frame_record(
            video_id,
            {
                "rgb": np.ascontiguousarray(frames[:, :rgb]),
                "audio": np.ascontiguousarray(frames[:, rgb:]),
            },
            known,
            segments=ratings,
        ),
    )


def frames_around(
    mean: np.ndarray,
    num_frames: int,
    rng: np.random.Generator,
    noise: float = 0.5,
    memory: float = 0.9,
) -> np.ndarray:
    """Return uint8 [n, D] whose mean over time is nearly `mean` [D]: a first-order autoregressive walk around it.

    Args:
      mean: of the video, dequantised.
      num_frames: n.
      rng: source of the noise.
      noise: standard deviation over time.
      memory: correlation of a frame with the one before.
    """
    steps = rng.standard_normal((num_frames, len(mean)), dtype=np.float32) * np.float32(
        noise * np.sqrt(1 - memory**2)
    )
    steps[0] *= np.float32(1 / np.sqrt(1 - memory**2))
    for t in range(1, num_frames):
        steps[t] += np.float32(memory) * steps[t - 1]
    return quantize(mean + steps - steps.mean(0))


def from_video_level(
    pattern: str,
    out_dir: str,
    num_frames: tuple[int, int] = (120, 300),
    noise: float = 0.5,
    seed: int = 0,
) -> int:
    """Write frame-level shards around real video-level records, a shard for a shard; return the number of videos.

    Ids and labels are kept. A shard that is already there is not made again, so a killed run goes on.
    """
    files = find_shards(pattern, "--from_video_level")
    schema, _ = find_schema(files, frame_features=False, flag="--from_video_level")
    total = 0
    for index, path in enumerate(files):
        target = os.path.join(out_dir, os.path.basename(path))
        if tf.io.gfile.exists(target):
            continue
        rng = np.random.default_rng([seed, index])
        total += write_shard(target, _around_file(path, schema, num_frames, noise, rng))
    return total


def _around_file(
    path: str, schema, num_frames: tuple[int, int], noise: float, rng: np.random.Generator
) -> Iterator[bytes]:
    ends = np.cumsum(schema.feature_sizes)
    names = [
        name[len("mean_") :] if name.startswith("mean_") else name for name in schema.feature_names
    ]
    for batch in build_dataset([path], schema, batch_size=64):
        labels = batch["labels"].numpy()
        for i, mean in enumerate(batch["video"].numpy()):
            frames = frames_around(
                mean, int(rng.integers(num_frames[0], num_frames[1] + 1)), rng, noise
            )
            parts: dict[str, np.ndarray] = {
                name: np.ascontiguousarray(frames[:, end - size : end])
                for name, size, end in zip(names, schema.feature_sizes, ends)
            }
            yield frame_record(batch["id"][i].numpy(), parts, np.flatnonzero(labels[i]))


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m yt8m.data.synthetic", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--out_dir", required=True)
    parser.add_argument(
        "--from_video_level", default="", help="build frames around these real video-level records"
    )
    parser.add_argument(
        "--frames",
        default="120,300",
        help="fewest and most frames a video, with --from_video_level",
    )
    parser.add_argument("--noise", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--segment_labels",
        action="store_true",
        help="with ratings of five-second segments in the frame-level records",
    )
    a = parser.parse_args(argv)
    try:
        if a.from_video_level:
            if a.segment_labels:
                raise UserError(
                    "--segment_labels: frames around real means have no scenes to rate; drop it, or --from_video_level."
                )
            low, high = (int(x) for x in a.frames.split(","))
            print(
                f"wrote {from_video_level(a.from_video_level, a.out_dir, (low, high), a.noise, a.seed)} videos"
                f" to {a.out_dir}"
            )
        else:
            make_synthetic(
                a.out_dir,
                SyntheticSpec(noise=a.noise, seed=a.seed, segment_labels=a.segment_labels),
            )
            print(
                f"wrote {', '.join(f'{n} {s}' for s, n in SyntheticSpec().videos)} videos"
                f" to {a.out_dir}/frame and {a.out_dir}/video"
            )
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
