"""A mixture of experts on video-level features, the strongest of the small models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.dequantize import NormalizeVideo
from yt8m.layers.heads.mixture_of_experts import MixtureOfExperts
from yt8m.layers.heads.prior_logits import Initial
from yt8m.models.core.base import VideoModel
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register


@register("MoeModel", "MoE")
class MoeModel(VideoModel):
    """Mixture of experts on video-level features.

    Source: starter code; UTS eq. 1 (docs/sources.md#mixture-of-experts).

    Args:
      num_mixtures: number of experts of each class, without the dummy expert.
      initial: "priors" lets `initialize_from_priors` start the experts at the label frequencies
        (+0.06 GAP in less than half the time on 23,000 videos); "zeros" starts them at zero, as the
        starter code does.
      l2: scale of the weight decay, as in TF-slim.
    """

    # Chosen on 5,900 and on 23,000 videos (docs/training.md).
    recipe = Recipe(base_learning_rate=0.1, batch_size=512, num_epochs=5, least_steps=50)
    starter_flags = {"moe_num_mixtures": "num_mixtures"}
    starter_arguments = {"initial": "zeros"}

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        num_mixtures: int = 2,
        initial: Initial = "priors",
        l2: float = 1e-8,
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.normalize = NormalizeVideo(self.input_norm)
        self.head = MixtureOfExperts(num_classes, num_mixtures, l2=l2, initial=initial, name="head")

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        return self.head(self.normalize(inputs["video"]))
