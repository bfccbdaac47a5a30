"""Attention clusters: for each feature many attention units with a shifting operation."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames, InputNorm
from yt8m.layers.heads.logistic_head import LogisticHead
from yt8m.layers.heads.prior_logits import Initial
from yt8m.layers.pooling.by_feature import split
from yt8m.layers.pooling.shifting_attention import ShiftingAttention
from yt8m.models.core.arguments import Integers, integers
from yt8m.models.core.base import FrameModel
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register


@register("AttentionClusterModel")
class AttentionClusterModel(FrameModel):
    """Attention clusters of each feature with a shifting operation, and two hidden layers.

    Source: Long et al. 2018 and PaddleVideo (docs/sources.md#attention-clusters).

    Args:
      cluster_units: attention units in the cluster of each feature.
      hidden_sizes: widths of the hidden layers, with tanh.
      dropout: rate before the hidden layers in training.
      input_norm: "none", as in the published code, or "l2".
      initial: "priors" starts the output at the label frequencies; "zeros" starts its biases at
        zero.
    """

    recipe = Recipe(
        base_learning_rate=0.001,
        batch_size=512,
        num_epochs=5,
        clip_gradient_norm=0.0,
        train_frames=100,
        frame_sampling="spread",
        label_loss="BinaryCrossEntropyLoss",
    )

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        cluster_units: int = 32,
        hidden_sizes: Integers = (1024, 4096),
        dropout: float = 0.5,
        input_norm: InputNorm = "none",
        initial: Initial = "priors",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, input_norm=input_norm, **kwargs)
        widths = integers(hidden_sizes, "hidden_sizes")
        self.record_arguments(hidden_sizes=widths)
        self.dequantize = DequantizeFrames(self.input_norm)
        self.clusters = [
            ShiftingAttention(cluster_units, name=f"cluster_{i}") for i in range(len(feature_sizes))
        ]
        self.drop = tf.keras.layers.Dropout(dropout, name="drop")
        normal = functools.partial(
            tf.keras.initializers.VarianceScaling, 2.0, "fan_in", "untruncated_normal"
        )
        self.hidden = [
            tf.keras.layers.Dense(width, "tanh", kernel_initializer=normal(), name=f"hidden_{i}")
            for i, width in enumerate(widths)
        ]
        self.head = LogisticHead(num_classes, 0.0, initial, name="head")

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        features = zip(self.clusters, split(x, self.feature_sizes))
        v = tf.concat([cluster(part, mask=mask) for cluster, part in features], axis=-1)
        v = self.drop(v, training=training)  # [B, cluster_units · D]
        for layer in self.hidden:
            v = layer(v)
        return self.head(v)
