"""Random order of a video's frames, which shows what a recurrent model gains from time."""

from __future__ import annotations

from typing import Any, Literal

import tensorflow as tf

from yt8m.errors import one_of
from yt8m.layers.base import Yt8mLayer
from yt8m.layers.masks import first_positions

OrderMode = Literal["none", "train", "always"]

_GOLDEN = 0.6180339887


class RandomOrder(Yt8mLayer):
    """A permutation of each video's true frames; the padding stays last.

    Source: UTS §3.2, "random order" (docs/sources.md#random-order).

    Args:
      mode: "none"; "train", a new permutation for each video and step, in training only; or
        "always", in inference too, where each number of frames has one fixed permutation, so that a
        prediction depends neither on chance nor on the batch.

    Call: (frames [B, T, …] of any type, num_frames=int [B], training) -> frames of the same shape.
    """

    def __init__(self, mode: OrderMode = "train", **kwargs: Any):
        super().__init__(**{"autocast": False, **kwargs})  # frames of floats stay as they are
        self.mode = one_of("random_order", mode, OrderMode)  # the models call the argument so

    def call(
        self, frames: tf.Tensor, num_frames: tf.Tensor, training: bool | None = None
    ) -> tf.Tensor:
        """Return the frames in their new order."""
        if self.mode == "none" or (self.mode == "train" and not training):
            return frames
        count, time = tf.shape(frames)[0], tf.shape(frames)[1]
        if training:
            key = tf.random.uniform([count, time])  # in [0, 1)
        else:
            # Golden-ratio steps through [0, 1) are scattered, and do not depend on the padding.
            step = tf.cast(tf.range(time) + 1, tf.float32)
            key = tf.broadcast_to(tf.math.floormod(step * _GOLDEN, 1.0), [count, time])
        true = first_positions(time, num_frames)  # [B, T]
        order = tf.argsort(tf.where(true, key, 2.0), axis=1, stable=True)
        return tf.gather(frames, order, axis=1, batch_dims=1)
