"""NeXtVLAD: NetVLAD of the parts of a widened frame, with an attention for each part."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.base import Yt8mLayer
from yt8m.layers.masks import mask_or_all
from yt8m.layers.normalisation.batch_norm import batch_norm
from yt8m.layers.pooling.residuals import flat_unit_parts, summed_residuals
from yt8m.layers.pooling.soft_assignment import SoftAssignment


class NextVlad(Yt8mLayer):
    """BN of the residuals Σ_ig α_ig a_igj (x_ig − c_j), each part j divided by its L2 norm.

    A frame is widened to λD numbers and cut into G parts x_g of d = λD/G numbers, which share the
    centres; α_g = σ(W x + b) is the attention to a part.

    Source: the NeXtVLAD paper and code (docs/sources.md#nextvlad).

    Args:
      clusters: C.
      groups: G.
      expansion: λ.

    Call: (x [B, T, D], mask=bool [B, T] or None, training) -> [B, C · d].

    Raises:
      ValueError: λD is not a multiple of G.
    """

    def __init__(self, clusters: int, groups: int = 8, expansion: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        self.clusters, self.groups, self.expansion = int(clusters), int(groups), int(expansion)

    def build(self, input_shape: Any) -> None:
        """Create the layers and the centres [C, d]."""
        wide = int(input_shape[-1]) * self.expansion
        if wide % self.groups:
            raise ValueError(
                f"groups={self.groups} must divide expansion · D = {wide}, where D is the width of"
                " the feature"
            )
        self.part = wide // self.groups
        dense = tf.keras.layers.Dense
        self.expand = dense(wide, kernel_initializer="he_normal", name="expand")
        self.expand.build(input_shape)
        self.attend = dense(
            self.groups, activation="sigmoid", kernel_initializer="he_normal", name="attend"
        )
        self.attend.build((None, None, wide))
        self.assign = SoftAssignment(
            self.clusters, self.groups, stddev=(2.0 / wide) ** 0.5, name="assign"
        )
        self.assign.build((None, None, wide))
        # The variance is that of the published [d, C]: 2 over the width of a part.
        normal = tf.keras.initializers.TruncatedNormal(stddev=(2.0 / self.part) ** 0.5)
        self.centers = self.new_weight("centers", (self.clusters, self.part), normal)
        self.norm = batch_norm("norm")
        self.norm.build((None, self.clusters * self.part))
        self.built = True

    def call(self, x: tf.Tensor, mask: tf.Tensor | None = None, training: Any = None) -> tf.Tensor:
        """Return the pooled frames [B, C · d]."""
        mask = mask_or_all(mask, x)
        x = self.expand(x)  # [B, T, λD]
        steps = (x.shape[1] or tf.shape(x)[1]) * self.groups
        attention = tf.reshape(self.attend(x), [-1, steps, 1])
        a = self.assign(x, mask=mask, training=training) * attention  # [B, T · G, C]
        parts = tf.reshape(x, [-1, steps, self.part])
        v = flat_unit_parts(summed_residuals(a, parts, self.centers), whole=False)
        return self.norm(v, training=training)
