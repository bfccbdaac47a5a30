"""The deep bags of frames of the KDD 2019 paper: Basic, Cgate and ResNet, pooled by SWAP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.heads.grouped_mixture_of_experts import Group
from yt8m.layers.normalisation.batch_norm import batch_norm
from yt8m.layers.normalisation.context_gating import ContextGating
from yt8m.layers.pooling.frames import SwapWeight
from yt8m.models.core.aggregator_and_head import AggregatorAndHead
from yt8m.models.core.base import FrameModel
from yt8m.models.core.chosen_head import ChosenHead
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register
from yt8m.models.dbof.starter import Pooling, make_pooling
from yt8m.models.dbof.video_network import (
    ResidualBlock,
    ResInner,
    ResOuter,
    Variant,
    VideoNetwork,
    normalized_dense,
    normalized_product,
)

# Model -> the video-level model that is its second half. The block of ResNet is on frames, so its
# second half is that of Basic.
VIDEO_HALF = {
    "DbofBasic": "VideoDbofBasic",
    "DbofCgate": "VideoDbofCgate",
    "DbofResNet": "VideoDbofBasic",
}


class _KddDbof(AggregatorAndHead, VideoNetwork, ResidualBlock, ChosenHead, FrameModel):
    """Frames → FC, BN, σ → [gate or block] → pooling → FC, BN, σ → [gate] → head.

    Source: docs/sources.md#dbof-networks.

    Features of whole videos, such as the paper's CDML embedding, are concatenated to the pooled
    frames without further processing (docs/sources.md#whole-video-features).

    Args:
      width: width of every fully connected layer.
      pooling: how the frames are pooled.
      swap_weight: weights of SWAP: "elementwise" is the paper's, "l1" and "l2" are for ablation
        (docs/sources.md#swap).
      input_batch_norm: normalise the features of the frames first.
      gate_batch_norm: give the gates of Cgate a batch normalisation in place of a bias.
      res_inner, res_outer: readings of the block of ResNet; see `ResidualBlock`.
      num_mixtures: number of experts of each class; the paper's joint training has 5.
      groups: classes with their own number of experts; see `yt8m.layers.heads.by_name.make_head`.
      video_sizes: width of each feature of the whole video. If there are any, the inputs contain
        `video` [B, E], where E is the sum of the widths.
    """

    variant: ClassVar[Variant] = "basic"
    takes_video_features = True
    recipe = Recipe(
        base_learning_rate=0.002,
        batch_size=128,
        num_epochs=8,
        train_frames=30,
        weight_average=0.999,
        label_loss="BinaryCrossEntropyLoss",
    )
    starter_flags = {
        "moe_num_mixtures": "num_mixtures",
        "dbof_pooling_method": "pooling",
        "video_level_classifier_model": "head",
    }

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        width: int = 2048,
        pooling: Pooling = "swap",
        swap_weight: SwapWeight = "elementwise",
        input_batch_norm: bool = True,
        gate_batch_norm: bool = True,
        res_inner: ResInner = "bn_relu",
        res_outer: ResOuter = "sigmoid_after_add",
        num_mixtures: int = 5,
        groups: list[Group] | None = None,
        video_sizes: Sequence[int] = (),
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, num_mixtures=num_mixtures, **kwargs)
        self.dequantize = DequantizeFrames(self.input_norm)
        self.input_norm_layer = batch_norm("input_norm") if input_batch_norm else None
        self.frame_fc = normalized_dense(width, "frame", self.input_norm_layer)
        self.frame_bn = batch_norm("frame_bn")
        self.pool = make_pooling(pooling, swap_weight)
        gated = self.variant == "cgate"
        self.make_video_network(width, gated, gate_batch_norm)
        self.frame_gate = ContextGating(gate_batch_norm, name="frame_gate") if gated else None
        if self.variant == "resnet":
            self.make_residual_block(width, res_inner, res_outer)
        self.head = self.make_head(groups)

    @property
    def video_sizes(self) -> tuple[int, ...]:
        """Width of each feature of the whole video."""
        return tuple(self.recorded_arguments()["video_sizes"])

    @property
    def input_keys(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the inputs."""
        return (*FrameModel.input_keys, "video") if self.video_sizes else FrameModel.input_keys

    def example_inputs(self, batch_size: int = 2, num_frames: int = 4) -> dict[str, tf.Tensor]:
        """Return zeros in the shapes of the inputs, with T = `num_frames`."""
        inputs = super().example_inputs(batch_size, num_frames)
        if self.video_sizes:
            inputs["video"] = tf.zeros([batch_size, sum(self.video_sizes)])
        return inputs

    def pooled_frames(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return the pooled output of the frame-level network, [B, width].

        With attention pooling it is [B, hops · width].
        """
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        norm, dense = self.input_norm_layer, self.frame_fc
        x = normalized_product(x, norm, dense, self.frame_bn, mask=mask, training=training)
        x = tf.sigmoid(x)  # [B, T, width]
        if self.frame_gate is not None:
            x = self.frame_gate(x, mask=mask, training=training)
        if self.variant == "resnet":
            x = self.residual_block(x, mask=mask, training=training)
        return self.pool(x, mask=mask)

    def aggregate(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return v [B, width]."""
        x = self.pooled_frames(inputs, training=training)
        if self.video_sizes:
            x = tf.concat([x, tf.cast(inputs["video"], x.dtype)], axis=-1)
        return self.video_network(x, training=training)


@register("DbofBasic")
class DbofBasic(_KddDbof):
    """DBoF-Basic of KDD 2019: 2048-wide layers, SWAP pooling, 5 experts."""


@register("DbofCgate")
class DbofCgate(_KddDbof):
    """DBoF-Cgate of KDD 2019: Basic with context gating of frames and of the video."""

    variant = "cgate"


@register("DbofResNet")
class DbofResNet(_KddDbof):
    """DBoF-ResNet of KDD 2019: Basic with a residual block on the frames."""

    variant = "resnet"
