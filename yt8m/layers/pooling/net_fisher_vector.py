"""NetFV: Fisher vectors, the first and second moments of the frames of each cluster."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from yt8m.layers.base import Yt8mLayer
from yt8m.layers.pooling.residuals import flat_unit_parts
from yt8m.layers.pooling.soft_assignment import SoftAssignment


class NetFisherVector(Yt8mLayer):
    """Σ_i a_ij (x_i − c_j)/s_j and Σ_i a_ij ((x_i − c_j)²/s_j² − 1), with s_j = w_j² + 1e-6.

    Either moment is divided by the L2 norm of each cluster's part, and by that of the whole.

    Source: the WILLOW paper and code (docs/sources.md#netfv).

    Args:
      clusters: C.

    Call: (x [B, T, D], mask=bool [B, T] or None, training) -> float32 [B, 2 · C · D]. A video
    without frames gives 0.
    """

    def __init__(self, clusters: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.clusters = int(clusters)

    def build(self, input_shape: Any) -> None:
        """Create the assignment, the centres [C, D] and the scales w [C, D]."""
        width = int(input_shape[-1])
        shape, stddev = (self.clusters, width), 1.0 / math.sqrt(width)
        self.assign = SoftAssignment(self.clusters, name="assign")
        self.assign.build(input_shape)
        normal = tf.keras.initializers.RandomNormal
        self.centers = self.new_weight("centers", shape, normal(stddev=stddev))
        self.scales = self.new_weight("scales", shape, normal(mean=1.0, stddev=stddev))
        self.built = True

    def call(self, x: tf.Tensor, mask: tf.Tensor | None = None, training: Any = None) -> tf.Tensor:
        """Return both moments [B, 2 · C · D]."""
        a = self.assign(x, mask=mask, training=training)
        # The sums are combined in float32, because their differences are small.
        count = tf.reduce_sum(tf.cast(a, tf.float32), axis=1)[:, :, None]  # [B, C, 1]
        first = tf.cast(tf.einsum("btc,btd->bcd", a, x), tf.float32)
        second = tf.cast(tf.einsum("btc,btd->bcd", a, tf.square(x)), tf.float32)
        center = tf.cast(self.centers, tf.float32)
        scale = tf.square(tf.cast(self.scales, tf.float32)) + 1e-6
        squares = second - 2.0 * first * center + count * tf.square(center)
        moments = [(first - count * center) / scale, squares / tf.square(scale) - count]
        return tf.concat([flat_unit_parts(moment) for moment in moments], axis=-1)
