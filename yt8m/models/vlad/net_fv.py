"""The gated NetFV of the team WILLOW."""

from __future__ import annotations

import tensorflow as tf

from yt8m.layers.pooling.net_fisher_vector import NetFisherVector
from yt8m.models.core.registry import register
from yt8m.models.vlad.willow import WillowModel


@register("NetFvModel", "NetFVModelLF")
class NetFvModel(WillowModel):
    """Gated NetFV of WILLOW: Fisher vectors of learned clusters, context gates, a gated mixture.

    Source: docs/sources.md#netfv. `cluster_size=128` is the published size; the default is the
    published code's own, a half of it.

    Args:
      cluster_size: see `WillowModel`, which has the other arguments.
    """

    def make_pool(self, clusters: int, widest: bool, name: str) -> tf.keras.layers.Layer:
        """Return the layer that pools one feature."""
        return NetFisherVector(clusters, name=name)
