"""The soft bags of frames of the team WILLOW, with and without a gate."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.pooling.soft_bag import SoftBag
from yt8m.models.core.registry import register
from yt8m.models.vlad.willow import WILLOW_RECIPE, WillowModel


@register("SoftDbofModel", "SoftDbofModelLF", "GatedDbofModelLF")
class SoftDbofModel(WillowModel):
    """Gated Soft-DBoW of WILLOW: how much of a video is in each of 4096 clusters, a gated mixture.

    Source: docs/sources.md#soft-dbow. The defaults are the published gated model; the other one is
    `cluster_size=8000 cluster_gating=false gating_probabilities=false l2=1e-8`.

    Args:
      cluster_size, gating: see `WillowModel`, which has the other arguments. The published models
        have no gate after the hidden layer.
      cluster_gating: gate the clusters of the widest feature.
      max_pool: append the largest assignment to each cluster.
    """

    recipe = dataclasses.replace(WILLOW_RECIPE, train_frames=30)
    cluster_divisor = 8

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        cluster_size: int = 4096,
        gating: bool = False,
        cluster_gating: bool = True,
        max_pool: bool = False,
        **kwargs: Any,
    ):
        super().__init__(
            num_classes, feature_sizes, cluster_size=cluster_size, gating=gating, **kwargs
        )

    def make_pool(self, clusters: int, widest: bool, name: str) -> tf.keras.layers.Layer:
        """Return the layer that pools one feature."""
        own = self.recorded_arguments()
        return SoftBag(clusters, own["cluster_gating"] and widest, own["max_pool"], name=name)
