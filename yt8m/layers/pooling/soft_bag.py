"""Soft-DBoW: how much of a video is assigned to each cluster."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from yt8m.layers.base import Yt8mLayer
from yt8m.layers.normalisation.batch_norm import batch_norm
from yt8m.layers.pooling.soft_assignment import SoftAssignment


class SoftBag(Yt8mLayer):
    """n_j = Σ_i a_ij, divided by its L2 norm; with a gate, σ(BN(W₂ W₁ m)) ∘ n for n.

    m_j = max_i a_ij, divided by its L2 norm.

    Source: the WILLOW paper and code (docs/sources.md#soft-dbow).

    Args:
      clusters: C.
      gated: whether there is a gate, with W₁ [D, C] and W₂ [C, D].
      maximum: append m.

    Call: (x [B, T, D], mask=bool [B, T] or None, training) -> float32 [B, C], or [B, 2 · C] with
    the maximum. A video without frames gives 0.
    """

    def __init__(self, clusters: int, gated: bool = False, maximum: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.clusters, self.gated, self.maximum = int(clusters), bool(gated), bool(maximum)

    def build(self, input_shape: Any) -> None:
        """Create the assignment and the gate."""
        width = int(input_shape[-1])
        self.assign = SoftAssignment(self.clusters, name="assign")
        self.assign.build(input_shape)
        if self.gated:
            normal = tf.keras.initializers.RandomNormal(stddev=1.0 / math.sqrt(width))
            self.reduce = self.new_weight("reduce", (self.clusters, width), normal)
            again = tf.keras.initializers.RandomNormal(stddev=1.0 / math.sqrt(width))
            self.expand = self.new_weight("expand", (width, self.clusters), again)
            self.norm = batch_norm("norm")
            self.norm.build((None, self.clusters))
        self.built = True

    def call(self, x: tf.Tensor, mask: tf.Tensor | None = None, training: Any = None) -> tf.Tensor:
        """Return the bag [B, C] or [B, 2 · C]."""
        a = self.assign(x, mask=mask, training=training)
        count = tf.reduce_sum(tf.cast(a, tf.float32), axis=1)  # [B, C]
        highest = tf.cast(tf.reduce_max(a, axis=1), tf.float32)
        highest = tf.math.l2_normalize(highest, axis=-1, epsilon=1e-12)
        if self.gated:
            low = tf.matmul(tf.cast(highest, x.dtype), tf.cast(self.reduce, x.dtype))
            gate = tf.matmul(low, tf.cast(self.expand, x.dtype))
            count *= tf.sigmoid(tf.cast(self.norm(gate, training=training), tf.float32))
        count = tf.math.l2_normalize(count, axis=-1, epsilon=1e-12)
        return tf.concat([count, highest], axis=-1) if self.maximum else count
