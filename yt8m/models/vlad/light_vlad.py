"""The gated NetRVLAD of the team WILLOW, "light VLAD" in its code."""

from __future__ import annotations

import tensorflow as tf

from yt8m.layers.pooling.net_vlad import NetVlad
from yt8m.models.core.registry import register
from yt8m.models.vlad.willow import WillowModel


@register("LightVladModel")
class LightVladModel(WillowModel):
    """Gated NetRVLAD of WILLOW: NetVladModel without centres, sums of frames for each cluster.

    Source: docs/sources.md#netvlad. `cluster_size=256` is the published size; the default is the
    published code's own, a quarter of it.

    Args:
      cluster_size: see `WillowModel`, which has the other arguments.
    """

    def make_pool(self, clusters: int, widest: bool, name: str) -> tf.keras.layers.Layer:
        """Return the layer that pools one feature."""
        return NetVlad(clusters, centers=False, name=name)
