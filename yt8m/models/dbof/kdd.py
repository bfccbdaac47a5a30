"""The deep bags of frames of the KDD 2019 paper: Basic, Cgate and ResNet, pooled by SWAP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.heads.by_name import make_head
from yt8m.layers.normalisation.batch_norm import batch_norm
from yt8m.layers.normalisation.context_gating import ContextGating
from yt8m.models.core.aggregator_and_head import AggregatorAndHead
from yt8m.models.core.base import FrameModel
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register
from yt8m.models.dbof.starter import make_pooling
from yt8m.models.dbof.video_network import ResidualBlock, VideoNetwork, fully_connected

# Model -> the video-level model that is its second half (ResNet's block is on frames, so its half is Basic's).
VIDEO_HALF = {
    "DbofBasic": "VideoDbofBasic",
    "DbofCgate": "VideoDbofCgate",
    "DbofResNet": "VideoDbofBasic",
}


class _KddDbof(AggregatorAndHead, VideoNetwork, ResidualBlock, FrameModel):
    """Frames → FC, BN, σ → [gate or residual block] → pooling → FC, BN, σ → [gate] → mixture of experts (spec D.2).

    Features of whole videos, such as the paper's CDML embedding, are put behind what was pooled, as they are (spec D.9).

    Args:
      width: of every fully connected layer.
      pooling: "swap", "average", "max", "l2" or "attention".
      swap_weight: of SWAP: "elementwise" is the paper's; "l1" and "l2" are for ablation (spec D.3).
      input_batch_norm: normalise the frames' features first.
      gate_batch_norm: batch normalisation in Cgate's gates, in place of their bias.
      res_inner, res_outer: readings of ResNet's block; see `ResidualBlock`.
      head: "moe", "logistic" or "softmax".
      num_mixtures: experts a class; the paper's joint training has 5.
      groups: classes with numbers of experts of their own; see `make_head`.
      initial: of the head.
      video_sizes: width of each feature of the whole video; the input then has `video` [B, E], E in all.
    """

    variant: ClassVar[str] = "basic"
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
        pooling: str = "swap",
        swap_weight: str = "elementwise",
        input_batch_norm: bool = True,
        gate_batch_norm: bool = True,
        res_inner: str = "bn_relu",
        res_outer: str = "sigmoid_after_add",
        head: str = "moe",
        num_mixtures: int = 5,
        groups: list[dict[str, Any]] | None = None,
        initial: str = "priors",
        video_sizes: Sequence[int] = (),
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        own = {
            **{
                "width": width,
                "pooling": pooling,
                "swap_weight": swap_weight,
                "input_batch_norm": input_batch_norm,
            },
            **{
                "gate_batch_norm": gate_batch_norm,
                "res_inner": res_inner,
                "res_outer": res_outer,
                "head": head,
            },
            **{
                "num_mixtures": num_mixtures,
                "groups": groups,
                "initial": initial,
                "video_sizes": list(video_sizes),
            },
        }
        self._arguments = json.dumps(own)  # a string: Keras would track a dict's lists
        self.dequantize = DequantizeFrames(self.input_norm)
        self.input_norm_layer = batch_norm("input_norm") if input_batch_norm else None
        self.frame_fc, self.frame_bn = fully_connected(width, "frame"), batch_norm("frame_bn")
        self.pool = make_pooling(pooling, swap_weight)
        self.make_video_network(width, self.variant == "cgate", gate_batch_norm)
        self.frame_gate = (
            ContextGating(gate_batch_norm, name="frame_gate") if self.variant == "cgate" else None
        )
        if self.variant == "resnet":
            self.make_residual_block(width, res_inner, res_outer)
        self.head = make_head(head, num_classes, num_mixtures, initial, groups)

    @property
    def video_sizes(self) -> tuple[int, ...]:
        """Width of each feature of the whole video."""
        return tuple(json.loads(self._arguments)["video_sizes"])

    @property
    def input_keys(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return (*FrameModel.input_keys, "video") if self.video_sizes else FrameModel.input_keys

    def example_inputs(self, batch_size: int = 2, num_frames: int = 4) -> dict[str, tf.Tensor]:
        """Zeros of the inputs' shapes, T = `num_frames`."""
        of_video = (
            {"video": tf.zeros([batch_size, sum(self.video_sizes)])} if self.video_sizes else {}
        )
        return {**super().example_inputs(batch_size, num_frames), **of_video}

    def pooled_frames(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return the frame-level network's output pooled over the true frames, [B, width] (attention: hops · width)."""
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        if self.input_norm_layer is not None:
            x = self.input_norm_layer(x, mask=mask, training=training)
        x = tf.sigmoid(
            self.frame_bn(self.frame_fc(x), mask=mask, training=training)
        )  # [B, T, width]
        if self.variant == "cgate":
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

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {**super().get_config(), **json.loads(self._arguments)}


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
