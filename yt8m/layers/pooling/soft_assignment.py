"""The soft assignment of frames to clusters, which NetVLAD and its relatives pool by."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from yt8m.layers.base import Yt8mLayer
from yt8m.layers.masks import mask_or_all
from yt8m.layers.normalisation.batch_norm import batch_norm


class SoftAssignment(Yt8mLayer):
    """a = softmax over the clusters of BN(W x), and 0 for a padded frame.

    Source: the WILLOW code (docs/sources.md#netvlad) and, for groups, the NeXtVLAD code
    (docs/sources.md#nextvlad).

    Args:
      clusters: C.
      groups: G, the number of parts of a frame that are assigned separately, each of them by its
        own columns of W.
      stddev: standard deviation of the initial W; 0 stands for 1/√D.

    Call: (x [B, T, D], mask=bool [B, T] or None, training) -> [B, T · G, C] in the type of x, with
    the groups of a frame one after another.
    """

    def __init__(self, clusters: int, groups: int = 1, stddev: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.clusters, self.groups, self.stddev = int(clusters), int(groups), stddev

    def build(self, input_shape: Any) -> None:
        """Create W [D, G · C] and the normalization."""
        width, columns = int(input_shape[-1]), self.groups * self.clusters
        normal = tf.keras.initializers.RandomNormal(stddev=self.stddev or 1.0 / math.sqrt(width))
        self.kernel = self.new_weight("kernel", (width, columns), normal)
        self.norm = batch_norm("norm")
        self.norm.build((None, columns))
        self.built = True

    def call(self, x: tf.Tensor, mask: tf.Tensor | None = None, training: Any = None) -> tf.Tensor:
        """Return the assignments [B, T · G, C]."""
        mask = mask_or_all(mask, x)
        logits = tf.einsum("btd,dc->btc", x, tf.cast(self.kernel, x.dtype))
        logits = tf.cast(self.norm(logits, mask=mask, training=training), tf.float32)
        logits = tf.reshape(logits, [-1, x.shape[1] or tf.shape(x)[1], self.groups, self.clusters])
        a = tf.nn.softmax(logits) * tf.cast(mask, tf.float32)[:, :, None, None]
        steps = x.shape[1] * self.groups if x.shape[1] else tf.shape(x)[1] * self.groups
        return tf.cast(tf.reshape(a, [-1, steps, self.clusters]), x.dtype)
