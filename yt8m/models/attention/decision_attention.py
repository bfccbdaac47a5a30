"""Decision-level attention: every class has its own weights over the predictions for the frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.heads.logistic_head import LogisticHead
from yt8m.layers.pooling.unit_attention import UnitAttention, Weight
from yt8m.models.attention.frame_network import FrameNetwork
from yt8m.models.core.registry import register


@register("DecisionAttentionModel")
class DecisionAttentionModel(FrameNetwork):
    """Predictions for every frame, averaged with weights by attention for each class.

    Source: Kong et al. 2018 and 2019; with levels=2, Yu et al. 2018
    (docs/sources.md#attention-networks-of-audioset).

    Args:
      attention: the weights before they are divided by their sum: a "softmax" over the classes, as
        in the published Keras code, or a "sigmoid", as in its PyTorch code.
    """

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        attention: Weight = "softmax",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        single = self.levels == 1
        # Before a combining layer the decisions are its features, which are best near 1/2 at first.
        starts = self.initial if single else "zeros"
        self.pools = [
            UnitAttention(num_classes, "sigmoid", attention, starts, name=f"pool_{i}")
            for i in range(self.levels)
        ]
        self.head = None if single else LogisticHead(num_classes, 0.0, self.initial, name="head")

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        outputs, mask = self.embedded(inputs, training=training)
        decisions = [pool(x, mask=mask) for pool, x in zip(self.pools, outputs)]
        if self.head is None:
            return decisions[0]
        return self.head(tf.concat(decisions, axis=-1))  # of [B, levels · K]
