"""The deep bags of frames of the KDD 2019 paper: Basic, Cgate and ResNet, pooled by SWAP."""

from __future__ import annotations

from typing import Any, ClassVar, Dict, Sequence

import tensorflow as tf

from yt8m.layers.batch_norm import batch_norm
from yt8m.layers.context_gating import ContextGating
from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.heads import make_head
from yt8m.models.base import FrameModel
from yt8m.models.dbof import make_pooling
from yt8m.models.recipe import Recipe
from yt8m.models.registry import register


class _KddDbof(FrameModel):
    """Frames → FC, BN, σ → [gate or residual block] → pooling → FC, BN, σ → [gate] → mixture of experts (spec D.2).

    Args:
      width: of every fully connected layer.
      pooling: "swap", "average", "max", "l2" or "attention".
      input_batch_norm: normalise the frames' features first.
      head: "moe", "logistic" or "softmax".
      num_mixtures: experts a class; the paper's joint training has 5.
      initial: of the head.
    """

    variant: ClassVar[str] = "basic"
    recipe = Recipe(base_learning_rate=0.002, batch_size=128, num_epochs=8, train_frames=30, weight_average=0.999)
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
        input_batch_norm: bool = True,
        head: str = "moe",
        num_mixtures: int = 5,
        initial: str = "priors",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.width, self.pooling, self.input_batch_norm = width, pooling, input_batch_norm
        self.head_name, self.num_mixtures, self.initial = head, num_mixtures, initial
        self.dequantize = DequantizeFrames(self.input_norm)
        self.input_norm_layer = batch_norm("input_norm") if input_batch_norm else None
        self.frame_fc, self.frame_bn = self._fc("frame"), batch_norm("frame_bn")
        self.pool = make_pooling(pooling)
        self.video_fc, self.video_bn = self._fc("video"), batch_norm("video_bn")
        if self.variant == "cgate":
            self.frame_gate, self.video_gate = ContextGating(name="frame_gate"), ContextGating(name="video_gate")
        if self.variant == "resnet":
            self.inner_fc, self.inner_bn = self._fc("inner"), batch_norm("inner_bn")
            self.outer_fc, self.outer_bn = self._fc("outer"), batch_norm("outer_bn")
        self.head = make_head(head, num_classes, num_mixtures, initial)

    def _fc(self, name: str) -> tf.keras.layers.Dense:
        return tf.keras.layers.Dense(self.width, use_bias=False, name=name)  # the BN that follows has the bias

    def call(self, inputs: Dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        if self.input_norm_layer is not None:
            x = self.input_norm_layer(x, mask=mask, training=training)
        x = tf.sigmoid(self.frame_bn(self.frame_fc(x), mask=mask, training=training))  # [B, T, width]
        if self.variant == "cgate":
            x = self.frame_gate(x, mask=mask, training=training)
        if self.variant == "resnet":
            inner = tf.nn.relu(self.inner_bn(self.inner_fc(x), mask=mask, training=training))
            x = tf.sigmoid(self.outer_bn(self.outer_fc(inner), mask=mask, training=training) + x)
        x = self.pool(x, mask=mask)
        x = tf.sigmoid(self.video_bn(self.video_fc(x), training=training))  # [B, width]
        if self.variant == "cgate":
            x = self.video_gate(x, training=training)
        return self.head(x)

    def get_config(self) -> Dict[str, Any]:
        """Every constructor argument."""
        names = ("width", "pooling", "input_batch_norm", "num_mixtures", "initial")
        return {**super().get_config(), **{n: getattr(self, n) for n in names}, "head": self.head_name}


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
