"""The KDD paper's video-level mode: its video-level network and head on one vector per video.

The vector is the mean of a video's raw features (`mean_rgb`, `mean_audio`, any other video-level
embedding) or the pooled output of a trained frame-level network (docs/sources.md#video-level-mode).
The module `yt8m/largescale/features/pooled_records.py` writes records with the latter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import tensorflow as tf

from yt8m.layers.dequantize import NormalizeVideo
from yt8m.layers.heads.grouped_mixture_of_experts import Group
from yt8m.layers.normalisation.batch_norm import batch_norm
from yt8m.models.core.aggregator_and_head import AggregatorAndHead
from yt8m.models.core.base import VideoModel
from yt8m.models.core.chosen_head import ChosenHead
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register
from yt8m.models.dbof.video_network import ResidualBlock, ResInner, ResOuter, Variant, VideoNetwork


class _VideoDbof(AggregatorAndHead, VideoNetwork, ResidualBlock, ChosenHead, VideoModel):
    """Video → [BN] → FC, BN, σ → [gate or residual block] → head.

    Source: KDD §5.4; docs/sources.md#video-level-mode.

    Args:
      width: width of every fully connected layer.
      input_batch_norm: normalise the features first.
      gate_batch_norm: give the gate of Cgate a batch normalisation in place of a bias.
      res_inner, res_outer: readings of the block of ResNet; see `ResidualBlock`.
      num_mixtures: number of experts of each class; the paper's joint training has 5.
      groups: classes with their own number of experts; see `yt8m.layers.heads.by_name.make_head`.
    """

    variant: ClassVar[Variant] = "basic"
    recipe = Recipe(
        base_learning_rate=0.002,
        batch_size=512,
        num_epochs=8,
        weight_average=0.999,
        label_loss="BinaryCrossEntropyLoss",
    )
    starter_flags = {"moe_num_mixtures": "num_mixtures", "video_level_classifier_model": "head"}

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        width: int = 2048,
        input_batch_norm: bool = True,
        gate_batch_norm: bool = True,
        res_inner: ResInner = "bn_relu",
        res_outer: ResOuter = "sigmoid_after_add",
        num_mixtures: int = 5,
        groups: list[Group] | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, num_mixtures=num_mixtures, **kwargs)
        self.normalize = NormalizeVideo(self.input_norm)
        self.input_norm_layer = batch_norm("input_norm") if input_batch_norm else None
        self.make_video_network(width, self.variant == "cgate", gate_batch_norm)
        if self.variant == "resnet":
            self.make_residual_block(width, res_inner, res_outer)
        self.head = self.make_head(groups)

    def norm_of_video(self) -> Any:
        """Return the normalisation of the video, or None."""
        return self.input_norm_layer

    def aggregate(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return v [B, width]."""
        v = self.video_network(self.normalize(inputs["video"]), training=training)
        return self.residual_block(v, training=training) if self.variant == "resnet" else v


@register("VideoDbofBasic")
class VideoDbofBasic(_VideoDbof):
    """The video-level half of DBoF-Basic on video-level features: KDD 2019's video-level mode."""


@register("VideoDbofCgate")
class VideoDbofCgate(_VideoDbof):
    """The video-level half of DBoF-Cgate, with its gate, on video-level features."""

    variant = "cgate"


@register("VideoDbofResNet")
class VideoDbofResNet(_VideoDbof):
    """VideoDbofBasic followed by the block of DBoF-ResNet, which the paper has on frames."""

    variant = "resnet"
