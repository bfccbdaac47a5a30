"""The mixture of experts on video-level features: the starter code's best small model, UTS 2017's first table."""

from __future__ import annotations

from typing import Any, Dict

import tensorflow as tf

from yt8m.layers.dequantize import NormalizeVideo
from yt8m.layers.mixture_of_experts import MixtureOfExperts
from yt8m.models.base import VideoModel
from yt8m.models.recipe import Recipe
from yt8m.models.registry import register


@register("MoeModel", "moe")
@tf.keras.utils.register_keras_serializable(package="yt8m")
class MoeModel(VideoModel):
    """Mixture of experts on the video's mean features.

    Args (beside `VideoModel`'s):
      num_mixtures: k, experts a class without the dummy.
      dummy_expert, expert_bias, l2, initial: see `MixtureOfExperts`.
    """

    recipe = Recipe(base_learning_rate=0.02, batch_size=512, num_epochs=8)
    starter_flags = {"moe_num_mixtures": "num_mixtures"}
    starter_arguments = {"initial": "zeros"}

    def __init__(
        self,
        num_classes: int,
        feature_sizes=(1024, 128),
        num_mixtures: int = 2,
        dummy_expert: bool = True,
        expert_bias: bool = True,
        l2: float = 1e-8,
        initial: str = "priors",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.num_mixtures = int(num_mixtures)
        self.dummy_expert = bool(dummy_expert)
        self.expert_bias = bool(expert_bias)
        self.l2 = float(l2)
        self.initial = initial
        self.video = NormalizeVideo(self.input_norm)
        self.head = MixtureOfExperts(num_classes, num_mixtures, dummy_expert, expert_bias, l2, initial=initial)

    def call(self, inputs: Dict[str, Any], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        return self.head(self.video(inputs["video"]))

    def get_config(self) -> Dict[str, Any]:
        """Every constructor argument, JSON-ready."""
        return {
            **super().get_config(),
            "num_mixtures": self.num_mixtures,
            "dummy_expert": self.dummy_expert,
            "expert_bias": self.expert_bias,
            "l2": self.l2,
            "initial": self.initial,
        }
