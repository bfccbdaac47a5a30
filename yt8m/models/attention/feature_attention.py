"""Feature-level attention: every unit of a video's vector has its own weights over the frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.heads.logistic_head import LogisticHead
from yt8m.layers.normalisation.batch_norm import batch_norm
from yt8m.layers.pooling.unit_attention import UnitAttention, Weight
from yt8m.models.attention.frame_network import FrameNetwork
from yt8m.models.core.registry import register


@register("FeatureAttentionModel")
class FeatureAttentionModel(FrameNetwork):
    """Layers on every frame, pooled by attention for each unit, and a logistic layer.

    Source: Kong et al. 2019 (docs/sources.md#attention-networks-of-audioset).

    Args:
      hidden_size: width of each layer, and of the pooled vector of each level.
      dropout: rate after each layer, and before the head.
      attention: the weights before they are divided by their sum: "sigmoid", as published, or a
        "softmax" over the units.
    """

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        hidden_size: int = 1024,
        dropout: float = 0.5,
        attention: Weight = "sigmoid",
        **kwargs: Any,
    ):
        super().__init__(
            num_classes, feature_sizes, hidden_size=hidden_size, dropout=dropout, **kwargs
        )
        self.pools = [
            UnitAttention(hidden_size, "linear", attention, name=f"pool_{i}")
            for i in range(self.levels)
        ]
        self.pooled_norm = batch_norm("pooled_norm")
        self.drop = tf.keras.layers.Dropout(dropout, name="drop")
        self.head = LogisticHead(num_classes, 0.0, self.initial, name="head")

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        outputs, mask = self.embedded(inputs, training=training)
        v = tf.concat([pool(x, mask=mask) for pool, x in zip(self.pools, outputs)], axis=-1)
        v = tf.nn.relu(self.pooled_norm(v, training=training))  # [B, levels · hidden_size]
        return self.head(self.drop(v, training=training))
