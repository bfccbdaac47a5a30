"""Choice of the frames to read from a video: all, or n random, contiguous or evenly spaced."""

from __future__ import annotations

import dataclasses
from typing import Literal

import tensorflow as tf

Kind = Literal["all", "random", "contiguous", "even"]


@dataclasses.dataclass(frozen=True)
class FrameSampling:
    """How many frames of each video are read, and which.

    Source: starter code (docs/sources.md#sampling-frames) for "random" and "contiguous".

    Attributes:
      kind: "all"; "random" (independent, with replacement: index = floor(u · num_frames));
        "contiguous" (one run from a random start; the last frame of a shorter video is repeated);
        "even" (evenly spaced and not random, for cheap evaluation).
      num_frames: frames per video; not used by "all".
    """

    kind: Kind = "all"
    num_frames: int = 0

    def indices(self, available: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Return the indices [n] of the chosen frames.

        Args:
          available: number of frames of the video, more than 0.
          seed: int64 [2].
        """
        n = self.num_frames
        count = tf.cast(available, tf.float32)
        if self.kind == "random":
            u = tf.random.stateless_uniform([n], seed)
            picked = tf.cast(u * count, tf.int32)
        elif self.kind == "contiguous":
            u = tf.random.stateless_uniform([], seed)
            starts = tf.maximum(available - n, 0) + 1
            picked = tf.cast(u * tf.cast(starts, tf.float32), tf.int32) + tf.range(n)
        elif self.kind == "even":
            picked = tf.cast((tf.cast(tf.range(n), tf.float32) + 0.5) * count / n, tf.int32)
        else:
            picked = tf.range(available)
        return tf.minimum(picked, available - 1)


ALL_FRAMES = FrameSampling()
