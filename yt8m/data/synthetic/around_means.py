"""Frame-level records around the means of real video-level records."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m import locks
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.shards import find_shards, fingerprint
from yt8m.data.find_schema import find_schema
from yt8m.data.pipeline import build_dataset
from yt8m.data.records.quantization import quantize
from yt8m.data.records.writers import frame_record, write_shard
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.files import read_json, write_json

_ABOUT = "around_means.json"


def frames_around(
    mean: np.ndarray,
    num_frames: int,
    rng: np.random.Generator,
    noise: float = 0.5,
    memory: float = 0.9,
) -> np.ndarray:
    """Return frames from a first-order autoregressive process whose mean is nearly `mean`.

    Args:
      mean: dequantised mean of the video [D].
      num_frames: n.
      rng: source of the noise.
      noise: standard deviation over time.
      memory: correlation of a frame with the one before.

    Returns:
      Frames uint8 [n, D].
    """
    fresh = np.sqrt(1 - memory**2)  # standard deviation of a step, that of a frame being 1
    steps = rng.standard_normal((num_frames, len(mean)), dtype=np.float32)
    steps *= np.float32(noise * fresh)
    steps[0] *= np.float32(1 / fresh)
    for t in range(1, num_frames):
        steps[t] += np.float32(memory) * steps[t - 1]
    return quantize(mean + steps - steps.mean(0))


def from_video_level(
    pattern: str,
    out_dir: str,
    num_frames: tuple[int, int] = (120, 300),
    noise: float = 0.5,
    seed: int = 0,
    num_classes: int | None = None,
) -> int:
    """Write frame-level shards around real video-level records, with their ids and labels.

    A shard that is already there is not written again, so that a killed run can be repeated.

    Args:
      pattern: globs of video-level shards.
      out_dir: folder of the frame-level shards, which have the same names.
      num_frames: fewest and most frames of a video.
      noise: standard deviation over time.
      seed: seed of the noise.
      num_classes: K; by default found, see `yt8m.data.num_classes`.

    Returns:
      The number of videos written.

    Raises:
      UserError: the pattern names no video-level records, or the folder has other frames.
    """
    files = find_shards(pattern, "--from_video_level")
    schema, _ = find_schema(
        files, num_classes=num_classes, frame_features=False, flag="--from_video_level"
    )
    total, bad = 0, BadRecords()
    about = {"from": fingerprint(files), "frames": list(num_frames), "noise": noise, "seed": seed}
    with locks.held(locks.inside(out_dir), f"--out_dir={out_dir}"):
        _refuse_other(out_dir, about)
        for index, path in enumerate(files):
            target = os.path.join(out_dir, os.path.basename(path))
            if not tf.io.gfile.exists(target):
                rng = np.random.default_rng([seed, index])
                with bad.explained(schema.num_classes):
                    videos = _around_file(path, schema, num_frames, noise, rng, bad)
                    total += write_shard(target, videos)
    return total


def _refuse_other(out_dir: str, about: dict[str, Any]) -> None:
    """Record what the frames are made of; refuse a folder that has recorded something else.

    Raises:
      UserError: it has.
    """
    path = os.path.join(out_dir, _ABOUT)
    if not tf.io.gfile.exists(path):
        write_json(path, about)
    elif (before := read_json(path)) != about:
        different = ", ".join(name for name in about if before.get(name) != about[name])
        raise UserError(
            f"--out_dir={out_dir} has frames around means with another {different}; name another"
            " folder."
        )


def _around_file(
    path: str,
    schema: RecordSchema,
    num_frames: tuple[int, int],
    noise: float,
    rng: np.random.Generator,
    bad: BadRecords,
) -> Iterator[bytes]:
    names = [n[len("mean_") :] if n.startswith("mean_") else n for n in schema.feature_names]
    ends = np.cumsum(schema.feature_sizes)[:-1]
    for batch in build_dataset([path], schema, batch_size=64, bad_records=bad):
        ids, labels = batch["id"].numpy(), batch["labels"].numpy()
        for video_id, mean, row in zip(ids, batch["video"].numpy(), labels):
            n = int(rng.integers(num_frames[0], num_frames[1] + 1))
            frames = np.split(frames_around(mean, n, rng, noise), ends, axis=1)
            yield frame_record(video_id, dict(zip(names, frames)), np.flatnonzero(row))
