"""What the models of the team WILLOW share: all but the pooling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.heads.gated_mixture import GatedMixture
from yt8m.layers.heads.mixture_of_experts import MixtureOfExperts
from yt8m.layers.heads.prior_logits import Initial
from yt8m.layers.normalisation.batch_norm import batch_norm
from yt8m.layers.normalisation.context_gating import ContextGating
from yt8m.layers.pooling.by_feature import shares, split
from yt8m.models.core.base import FrameModel
from yt8m.models.core.recipe import Recipe

# The published batch, rate, clipping and loss (docs/sources.md#willow-training).
WILLOW_RECIPE = Recipe(base_learning_rate=0.0002, batch_size=80, num_epochs=10)


class WillowModel(FrameModel):
    """Frames → BN → a pooling of each feature → FC → [gate] → mixture → [gate of probabilities].

    Source: docs/sources.md#willow-networks.

    Args:
      cluster_size: number of clusters of the widest feature; narrower ones have fewer.
      hidden_size: width of the fully connected layer.
      relu: give that layer batch normalization and a ReLU limited to 6 instead of a bias.
      gating: apply a context gate to that layer.
      gating_probabilities: apply a context gate to the probabilities.
      num_mixtures: number of experts of each class.
      initial: "priors" lets `initialize_from_priors` start the head at the label frequencies;
        "zeros" starts its biases at zero, as the published code does.
      l2: scale of the weight decay of the mixture, as in TF-slim.
    """

    recipe = WILLOW_RECIPE
    starter_flags = {"moe_num_mixtures": "num_mixtures"}
    # What `cluster_size` is divided by for a feature narrower than the widest.
    cluster_divisor: ClassVar[int] = 2

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        cluster_size: int = 64,
        hidden_size: int = 1024,
        relu: bool = False,
        gating: bool = True,
        gating_probabilities: bool = True,
        num_mixtures: int = 2,
        initial: Initial = "priors",
        l2: float = 1e-6,
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.dequantize = DequantizeFrames(self.input_norm)
        self.input_norm_layer = batch_norm("input_norm")
        normal = tf.keras.initializers.RandomNormal
        self.hidden = tf.keras.layers.Dense(
            hidden_size,
            use_bias=not relu,
            kernel_initializer=normal(stddev=1.0 / math.sqrt(cluster_size)),
            name="hidden",
        )
        self.hidden_norm = batch_norm("hidden_norm") if relu else None
        stddev = 1.0 / math.sqrt(hidden_size)
        self.gate = ContextGating(stddev=stddev, name="gate") if gating else None
        head = GatedMixture if gating_probabilities else MixtureOfExperts
        self.head = head(num_classes, num_mixtures, l2=l2, initial=initial, name="head")
        self.gates_probabilities = gating_probabilities
        # A softmax over a single cluster would be constant.
        clusters = shares(cluster_size, self.feature_sizes, self.cluster_divisor, least=2)
        widest = max(self.feature_sizes)
        self.pools = [
            self.make_pool(number, width == widest, f"pool_{i}")
            for i, (number, width) in enumerate(zip(clusters, self.feature_sizes))
        ]

    def make_pool(self, clusters: int, widest: bool, name: str) -> tf.keras.layers.Layer:
        """Return the layer that pools one feature.

        Args:
          clusters: how many it has.
          widest: whether no feature is wider.
          name: that of the layer.
        """
        raise NotImplementedError

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        x = self.input_norm_layer(x, mask=mask, training=training)
        features = zip(self.pools, split(x, self.feature_sizes))
        pooled = [pool(part, mask=mask, training=training) for pool, part in features]
        x = self.hidden(tf.concat(pooled, axis=-1))  # [B, hidden_size]
        if self.hidden_norm is not None:
            x = tf.nn.relu6(self.hidden_norm(x, training=training))
        if self.gate is not None:
            x = self.gate(x, training=training)
        return self.head(x, training=training) if self.gates_probabilities else self.head(x)
