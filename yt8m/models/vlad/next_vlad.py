"""NeXtVLAD, the best single model of the third team of the challenge of 2018."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames, InputNorm
from yt8m.layers.heads.by_name import HeadName
from yt8m.layers.pooling.next_vlad_network import NextVladNetwork
from yt8m.models.core.base import FrameModel
from yt8m.models.core.chosen_head import ChosenHead
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register

# The published batch (80 on each of two GPUs), rate, clipping and loss.
NEXTVLAD_RECIPE = Recipe(base_learning_rate=0.0002, batch_size=160, num_epochs=15)


@register("NeXtVladModel", "NeXtVLADModel")
class NeXtVladModel(ChosenHead, FrameModel):
    """NeXtVLAD: parts of widened frames, each with an attention, pooled by shared clusters.

    Source: docs/sources.md#nextvlad. The defaults are the published sizes.

    Args:
      cluster_size: number of clusters of the widest feature; a narrower one has half as many.
      hidden_size: width of the fully connected layer.
      groups: parts of a frame of the widest feature; a narrower one has half as many.
      expansion: what the width of a frame is multiplied by before it is cut into parts.
      gating_reduction: the width of the layer, divided by that of the gate's bottleneck.
      dropout: rate after the pooling.
      input_norm: "none", or "l2" for frames of norm 1.
      head: as in `ChosenHead`; the published classifier is logistic.
      l2: scale of the weight decay of the head, as in TF-slim.

    Raises:
      ValueError: `groups` does not divide `expansion` times the width of a feature.
    """

    recipe = NEXTVLAD_RECIPE
    starter_flags = {"moe_num_mixtures": "num_mixtures", "video_level_classifier_model": "head"}

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        cluster_size: int = 128,
        hidden_size: int = 2048,
        groups: int = 8,
        expansion: int = 2,
        gating_reduction: int = 8,
        dropout: float = 0.5,
        input_norm: InputNorm = "none",
        head: HeadName = "logistic",
        l2: float = 1e-5,
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, input_norm=input_norm, head=head, **kwargs)
        self.dequantize = DequantizeFrames(self.input_norm)
        self.network = NextVladNetwork(
            self.feature_sizes,
            cluster_size,
            hidden_size,
            groups,
            expansion,
            gating_reduction,
            dropout,
            name="network",
        )
        self.head = self.make_head(l2=l2)

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        return self.head(self.network(x, mask=mask, training=training))
