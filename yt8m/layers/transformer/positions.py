"""Embeddings of a frame's place in its video."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import tensorflow as tf

from yt8m.errors import one_of
from yt8m.layers.base import Yt8mLayer
from yt8m.layers.flat_product import flat_product

Positions = Literal["sinusoidal", "learned", "none"]

# The place 1, the end of a video, counts as this position: the seconds of the longest videos.
_END = 300.0


class PlaceEmbedding(Yt8mLayer):
    """x plus an embedding of each frame's place, (t + 1/2) / n for frame t of n.

    The place is relative to the length, so that training on drawn frames and evaluation on all of
    them agree.

    Source: docs/sources.md#transformer.

    Args:
      positions: "sinusoidal", the sines and cosines of Vaswani et al. 2017 at the position 300 ·
        place; "learned", a table of vectors; or "none".
      entries: number of vectors in the table, for "learned".

    Call: (x [B, T, W], num_frames=int [B]) -> [B, T, W].
    """

    def __init__(self, positions: Positions = "sinusoidal", entries: int = 64, **kwargs: Any):
        super().__init__(**kwargs)
        self.positions = one_of("positions", positions, Positions)
        self.entries = int(entries)

    def build(self, input_shape: Any) -> None:
        """Create the table [entries, W], if there is one."""
        if self.positions == "learned":
            small = tf.keras.initializers.RandomNormal(stddev=0.02)
            shape = (self.entries, int(input_shape[-1]))
            self.table = self.new_weight("table", shape, small)
        self.built = True

    def call(self, x: tf.Tensor, num_frames: tf.Tensor) -> tf.Tensor:
        """Return the frames with their places [B, T, W]."""
        if self.positions == "none":
            return x
        count = tf.cast(tf.maximum(num_frames, 1), tf.float32)[:, None]
        t = tf.cast(tf.range(tf.shape(x)[1]), tf.float32)[None, :]
        place = tf.minimum((t + 0.5) / count, 1.0)  # [B, T]
        width = int(x.shape[-1])
        if self.positions == "learned":
            index = tf.minimum(tf.cast(place * self.entries, tf.int32), self.entries - 1)
            # A product, because the gradient of a gather is sparse, which no other part is.
            chosen = tf.one_hot(index, self.entries, dtype=x.dtype)
            embedding = flat_product(chosen, self.table)
        else:
            pairs = np.arange((width + 1) // 2)
            rate = tf.constant(10000.0 ** (-2 * pairs / width), tf.float32)
            angle = place[:, :, None] * _END * rate  # [B, T, W / 2]
            embedding = tf.concat([tf.sin(angle), tf.cos(angle)], axis=-1)[:, :, :width]
        return x + tf.cast(tf.ensure_shape(embedding, x.shape), x.dtype)
