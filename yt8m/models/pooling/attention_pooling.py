"""Attention pooling of the raw frames: several learned weighted means, concatenated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.pooling.attention import AttentionPooling
from yt8m.models.core.base import FrameModel
from yt8m.models.core.chosen_head import ChosenHead
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register

# The settings of UTS' attention models.
ATTENTION_RECIPE = Recipe(
    base_learning_rate=0.005,
    batch_size=128,
    num_epochs=8,
    clip_gradient_norm=0.0,
    global_clip_norm=5.0,
    weight_average=0.9997,
)


@register("AttentionPoolingModel")
class AttentionPoolingModel(ChosenHead, FrameModel):
    """Weighted means of the frames, with weights by attention, into a mixture of experts.

    Source: UTS eq. 3 (docs/sources.md#attention-pooling), here on the frames themselves. The
    recurrent models apply attention pooling to the outputs of a GRU if output=attention.

    Args:
      hops: number of weighted means; the head sees hops · D numbers.
      attention_size: hidden width of the attention.
      dropout: rate before the head in training (the paper's code keeps 0.8).
    """

    recipe = ATTENTION_RECIPE
    starter_flags = {"moe_num_mixtures": "num_mixtures", "video_level_classifier_model": "head"}

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        hops: int = 5,
        attention_size: int = 100,
        dropout: float = 0.2,
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.dequantize = DequantizeFrames(self.input_norm)
        self.attention = AttentionPooling(hops, attention_size, name="attention")
        self.drop = tf.keras.layers.Dropout(dropout, name="drop")
        self.head = self.make_head()

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        x = self.attention(x, mask=mask)  # [B, hops · D]
        return self.head(self.drop(x, training=training))
