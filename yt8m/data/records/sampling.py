"""Choice of the frames to read from a video: all, or n of them drawn or evenly spaced."""

from __future__ import annotations

import dataclasses
from typing import Literal

import tensorflow as tf

Kind = Literal["all", "random", "contiguous", "spread", "even"]


@dataclasses.dataclass(frozen=True)
class FrameSampling:
    """How many frames of each video are read, and which.

    Source: starter code (docs/sources.md#sampling-frames) for "random" and "contiguous".

    Attributes:
      kind: "all"; "random" (independent, with replacement: index = floor(u · num_frames));
        "contiguous" (one run from a random start; the last frame of a shorter video is repeated);
        "spread" (one at random from each of n equal parts, in order; all of a shorter video);
        "even" (evenly spaced and not random, for cheap evaluation).
      num_frames: frames per video; not used by "all".
    """

    kind: Kind = "all"
    num_frames: int = 0

    def length(self, max_frames: int) -> int:
        """Return T, the most frames that are chosen from a video of `max_frames` or fewer."""
        if self.kind == "all":
            return max_frames
        return min(self.num_frames, max_frames) if self.kind == "spread" else self.num_frames

    def indices(self, available: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Return the indices of the chosen frames: n of them, or with "spread" n at most.

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
        elif self.kind == "spread":
            parts = tf.minimum(n, available)
            u = tf.random.stateless_uniform([n], seed)[:parts]
            size = count / tf.cast(parts, tf.float32)
            picked = tf.cast((tf.cast(tf.range(parts), tf.float32) + u) * size, tf.int32)
            picked = tf.where(available <= n, tf.range(parts), picked)  # exact, whatever u
        elif self.kind == "even":
            picked = tf.cast((tf.cast(tf.range(n), tf.float32) + 0.5) * count / n, tf.int32)
        else:
            picked = tf.range(available)
        return tf.minimum(picked, available - 1)


ALL_FRAMES = FrameSampling()
