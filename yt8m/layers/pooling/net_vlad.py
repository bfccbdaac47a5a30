"""NetVLAD, and NetRVLAD, which sums the frames themselves."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from yt8m.layers.base import Yt8mLayer
from yt8m.layers.pooling.residuals import flat_unit_parts, summed_residuals
from yt8m.layers.pooling.soft_assignment import SoftAssignment


class NetVlad(Yt8mLayer):
    """v_j = Σ_i a_ij (x_i − c_j), divided by its L2 norm, concatenated and divided by that norm.

    Source: the WILLOW paper and code (docs/sources.md#netvlad).

    Args:
      clusters: C.
      centers: whether there are centres c_j. Without them it is NetRVLAD, "light VLAD" in the code.

    Call: (x [B, T, D], mask=bool [B, T] or None, training) -> float32 [B, C · D]. A video without
    frames gives 0.
    """

    def __init__(self, clusters: int, centers: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.clusters, self.has_centers = int(clusters), bool(centers)

    def build(self, input_shape: Any) -> None:
        """Create the assignment, and the centres [C, D] if there are any."""
        width = int(input_shape[-1])
        self.assign = SoftAssignment(self.clusters, name="assign")
        self.assign.build(input_shape)
        if self.has_centers:
            normal = tf.keras.initializers.RandomNormal(stddev=1.0 / math.sqrt(width))
            self.centers = self.new_weight("centers", (self.clusters, width), normal)
        self.built = True

    def call(self, x: tf.Tensor, mask: tf.Tensor | None = None, training: Any = None) -> tf.Tensor:
        """Return the pooled frames [B, C · D]."""
        a = self.assign(x, mask=mask, training=training)
        if self.has_centers:
            return flat_unit_parts(summed_residuals(a, x, self.centers))
        return flat_unit_parts(tf.cast(tf.einsum("btc,btd->bcd", a, x), tf.float32))
