"""Attention pooling over the raw frames: several learned weighted means, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.heads.by_name import make_head
from yt8m.layers.pooling.attention import AttentionPooling
from yt8m.models.core.base import FrameModel
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register


@register("AttentionPoolingModel")
class AttentionPoolingModel(FrameModel):
    """Weighted means of the frames, the weights by attention, into a mixture of experts.

    Source: UTS eq. 3 (spec C.13), here on the frames themselves; over a GRU's outputs it is the option
    output=attention of the recurrent models.

    Args:
      hops: weighted means; the head sees hops · D numbers.
      attention_size: hidden width of the attention.
      dropout: rate before the head, in training (the paper's code keeps 0.8).
      head: "moe" or "logistic".
      num_mixtures: experts a class.
      initial: of the head.
    """

    recipe = Recipe(
        base_learning_rate=0.005,
        batch_size=128,
        num_epochs=8,
        clip_gradient_norm=0.0,
        global_clip_norm=5.0,
        weight_average=0.9997,
    )
    starter_flags = {"moe_num_mixtures": "num_mixtures", "video_level_classifier_model": "head"}

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        hops: int = 5,
        attention_size: int = 100,
        dropout: float = 0.2,
        head: str = "moe",
        num_mixtures: int = 2,
        initial: str = "priors",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.hops, self.attention_size, self.dropout = hops, attention_size, dropout
        self.head_name, self.num_mixtures, self.initial = head, num_mixtures, initial
        self.dequantize = DequantizeFrames(self.input_norm)
        self.attention = AttentionPooling(hops, attention_size, name="attention")
        self.drop = tf.keras.layers.Dropout(dropout, name="drop")
        self.head = make_head(head, num_classes, num_mixtures, initial)

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        x = self.attention(x, mask=mask)  # [B, hops · D]
        return self.head(self.drop(x, training=training))

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        names = ("hops", "attention_size", "dropout", "num_mixtures", "initial")
        return {
            **super().get_config(),
            **{n: getattr(self, n) for n in names},
            "head": self.head_name,
        }
