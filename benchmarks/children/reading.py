"""Videos/s of reading alone: by this project, by TensorFlow's bare parser, and without parsing.

`python -m benchmarks.children.reading --how=ours --level=frame --pattern=...`. "bare" is a
`TFRecordDataset` with `tf.io.parse_sequence_example` or `tf.io.parse_example` on whole batches; it
neither decodes the frames nor makes multi-hot labels, which "ours" does. "raw" reads the records.
"""

from __future__ import annotations

import yt8m.process.quiet

import argparse
import json
import statistics
import time
from typing import Any

import tensorflow as tf

import yt8m
from yt8m.data.files.shards import find_shards


def parse_frames(records: tf.Tensor) -> Any:
    """Parse a batch of frame-level records."""
    context = {
        "id": tf.io.FixedLenFeature([], tf.string),
        "labels": tf.io.VarLenFeature(tf.int64),
    }
    frames = {name: tf.io.FixedLenSequenceFeature([], tf.string) for name in ("rgb", "audio")}
    return tf.io.parse_sequence_example(records, context, frames)


def parse_videos(records: tf.Tensor) -> Any:
    """Parse a batch of video-level records."""
    features = {
        "id": tf.io.FixedLenFeature([], tf.string),
        "labels": tf.io.VarLenFeature(tf.int64),
        "mean_rgb": tf.io.FixedLenFeature([1024], tf.float32),
        "mean_audio": tf.io.FixedLenFeature([128], tf.float32),
    }
    return tf.io.parse_example(records, features)


def dataset(how: str, level: str, pattern: str, batch_size: int) -> Any:
    """Return one pass over the records in batches, read in one of the three ways."""
    if how == "ours":
        return yt8m.open_dataset(pattern, batch_size).batches()
    read = tf.data.TFRecordDataset(find_shards(pattern, "--pattern"), num_parallel_reads=8)
    batches = read.batch(batch_size)
    if how == "bare":
        parse = parse_frames if level == "frame" else parse_videos
        batches = batches.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
    return batches.prefetch(2)


def main() -> None:
    """Read everything several times, and print the median speed as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--how", required=True, choices=("ours", "bare", "raw"))
    parser.add_argument("--level", required=True, choices=("frame", "video"))
    parser.add_argument("--pattern", required=True)
    parser.add_argument("--batch_size", type=int, default=128)
    parser.add_argument("--passes", type=int, default=4)
    a = parser.parse_args()
    batches = dataset(a.how, a.level, a.pattern, a.batch_size)
    # Batches of strings are counted as batches, so that counting costs the same in each way.
    videos = sum(1 for f in find_shards(a.pattern, "--pattern") for _ in tf.data.TFRecordDataset(f))
    seconds = []
    for _ in range(a.passes):
        start = time.perf_counter()
        for _ in batches:
            pass
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"videos_per_second": videos / statistics.median(seconds[1:])}))


if __name__ == "__main__":
    main()
