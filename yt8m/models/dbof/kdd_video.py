"""The KDD paper's video-level mode: its video-level network and classifier on features that are one vector a video.

The vector is the mean of a video's raw features (`mean_rgb`, `mean_audio`, any further video-level embedding), or
what a trained frame-level network gave, pooled (spec D.9; `yt8m/largescale/features/pooled_records.py` writes such records).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import tensorflow as tf

from yt8m.layers.dequantize import NormalizeVideo
from yt8m.layers.heads.by_name import make_head
from yt8m.layers.normalisation.batch_norm import batch_norm
from yt8m.models.core.aggregator_and_head import AggregatorAndHead
from yt8m.models.core.base import VideoModel
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register
from yt8m.models.dbof.video_network import ResidualBlock, VideoNetwork


class _VideoDbof(AggregatorAndHead, VideoNetwork, ResidualBlock, VideoModel):
    """Video → [BN] → FC, BN, σ → [gate or residual block] → mixture of experts (KDD §5.4; spec D.9).

    Args:
      width: of every fully connected layer.
      input_batch_norm: normalise the features first.
      gate_batch_norm: batch normalisation in Cgate's gate, in place of its bias.
      res_inner, res_outer: readings of ResNet's block; see `ResidualBlock`.
      head: "moe", "logistic" or "softmax".
      num_mixtures: experts a class; the paper's joint training has 5.
      groups: classes with numbers of experts of their own; see `make_head`.
      initial: of the head.
    """

    variant: ClassVar[str] = "basic"
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
        res_inner: str = "bn_relu",
        res_outer: str = "sigmoid_after_add",
        head: str = "moe",
        num_mixtures: int = 5,
        groups: list[dict[str, Any]] | None = None,
        initial: str = "priors",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        own = {
            **{
                "width": width,
                "input_batch_norm": input_batch_norm,
                "gate_batch_norm": gate_batch_norm,
            },
            **{"res_inner": res_inner, "res_outer": res_outer, "head": head},
            **{"num_mixtures": num_mixtures, "groups": groups, "initial": initial},
        }
        self._arguments = json.dumps(own)  # a string: Keras would track a dict's lists
        self.normalize = NormalizeVideo(self.input_norm)
        self.input_norm_layer = batch_norm("input_norm") if input_batch_norm else None
        self.make_video_network(width, self.variant == "cgate", gate_batch_norm)
        if self.variant == "resnet":
            self.make_residual_block(width, res_inner, res_outer)
        self.head = make_head(head, num_classes, num_mixtures, initial, groups)

    def aggregate(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return v [B, width]."""
        x = self.normalize(inputs["video"])
        if self.input_norm_layer is not None:
            x = self.input_norm_layer(x, training=training)
        v = self.video_network(x, training=training)
        return self.residual_block(v, training=training) if self.variant == "resnet" else v

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {**super().get_config(), **json.loads(self._arguments)}


@register("VideoDbofBasic")
class VideoDbofBasic(_VideoDbof):
    """The video-level half of DBoF-Basic on video-level features: KDD 2019's video-level mode."""


@register("VideoDbofCgate")
class VideoDbofCgate(_VideoDbof):
    """The video-level half of DBoF-Cgate, with its gate, on video-level features."""

    variant = "cgate"


@register("VideoDbofResNet")
class VideoDbofResNet(_VideoDbof):
    """VideoDbofBasic with DBoF-ResNet's block behind it; in the paper the block is on frames, so this place is ours."""

    variant = "resnet"
