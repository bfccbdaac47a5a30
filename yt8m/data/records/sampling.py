"""Which frames of a video are read: all, or n drawn at random, in one run, or evenly spaced."""

from __future__ import annotations

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class FrameSampling:
    """How many frames to take of each video, and how.

    Attributes:
      kind: "all"; "random" (independent, with replacement: index = floor(u · num_frames)),
        "contiguous" (one run at a random start, its last frame repeated where the video is
        shorter; both as in the starter code, spec A.12); "even" (evenly spaced, not random, for
        cheap evaluation).
      num_frames: frames a video; not used by "all".
    """

    kind: str = "all"
    num_frames: int = 0

    def indices(self, available: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Return the chosen frames' indices [n] out of `available` (> 0) frames; `seed` is int64 [2]."""
        n = self.num_frames
        count = tf.cast(available, tf.float32)
        if self.kind == "random":
            u = tf.random.stateless_uniform([n], seed)
            picked = tf.cast(u * count, tf.int32)
        elif self.kind == "contiguous":
            u = tf.random.stateless_uniform([], seed)
            room = tf.maximum(available - n, 0) + 1
            picked = tf.cast(u * tf.cast(room, tf.float32), tf.int32) + tf.range(n)
        elif self.kind == "even":
            picked = tf.cast((tf.cast(tf.range(n), tf.float32) + 0.5) * count / n, tf.int32)
        else:
            picked = tf.range(available)
        return tf.minimum(picked, available - 1)
