"""Changes to the batches of one pass, which its seed and the place of a batch alone determine."""

from __future__ import annotations

import dataclasses
from typing import Callable

import numpy as np
import tensorflow as tf

from yt8m.data.augment.drop_frames import drop_frames
from yt8m.data.augment.mixup import mix
from yt8m.data.augment.smoothing import smooth

Batch = dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Changes to the videos and targets of training batches.

    Attributes:
      drop_frames: probability with which each frame is left out.
      mixup: α of the mixture of two videos; 0 mixes none.
      smoothing: ε, the share of the label frequencies in each target.
      priors: label frequencies [K], which smoothing needs.
    """

    drop_frames: float = 0.0
    mixup: float = 0.0
    smoothing: float = 0.0
    priors: np.ndarray | None = None

    def __bool__(self) -> bool:
        """Whether anything is changed."""
        return bool(self.drop_frames or self.mixup or self.smoothing)

    def apply(
        self, batches: tf.data.Dataset, seed: int, epoch: int, worker: int = 0, first: int = 0
    ) -> tf.data.Dataset:
        """Return changed batches, with the same content for the same arguments.

        "labels" stay the video's own, for the metrics. Where the loss needs other targets, they are
        added as "targets" float32 [B, K].

        Args:
          batches: batches with "labels" [B, K], "frames" or "video", and perhaps "teacher".
          seed: seed of the run.
          epoch: number of the pass.
          worker: which worker reads the batches.
          first: number of the first batch in its pass, after those that were skipped.
        """
        if not self:
            return batches
        mixed = np.random.SeedSequence([seed, epoch, worker]).generate_state(1)
        key = tf.constant(int(mixed[0]), tf.int64)

        def change(place: tf.Tensor, batch: Batch) -> Batch:
            return self.change(batch, tf.stack([key, place]))

        numbered = batches.enumerate(start=first)
        return numbered.map(change, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)

    def change(self, batch: Batch, key: tf.Tensor) -> Batch:
        """Return one changed batch; `key` int64 [2] determines it."""
        steps: list[Callable[[Batch], Batch]] = []
        if self.drop_frames:
            steps.append(lambda b: drop_frames(b, self.drop_frames, _key(key, 1)))
        if self.smoothing:
            steps.append(lambda b: smooth(b, self.smoothing, self.priors))
        if self.mixup:
            steps.append(lambda b: mix(b, self.mixup, _key(key, 2)))
        for step in steps:
            batch = step(batch)
        return batch


def _key(key: tf.Tensor, which: int) -> tf.Tensor:
    """Return the key of one kind of change, so that no two draw the same numbers."""
    return tf.random.experimental.stateless_fold_in(key, which)
