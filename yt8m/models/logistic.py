"""The starter code's first baseline: one logistic regression a class."""

from __future__ import annotations

from typing import Any, Dict

import tensorflow as tf

from yt8m.layers.classifier import LogisticHead
from yt8m.layers.dequantize import NormalizeVideo
from yt8m.models.base import VideoModel
from yt8m.models.recipe import Recipe
from yt8m.models.registry import register


@register("LogisticModel", "logistic")
@tf.keras.utils.register_keras_serializable(package="yt8m")
class LogisticModel(VideoModel):
    """Logistic regression on the video's mean features.

    Args (beside `VideoModel`'s):
      l2: of the kernel, on TF-slim's scale.
      initial: "priors" or "zeros", see `LogisticHead`.
    """

    recipe = Recipe(base_learning_rate=0.02, batch_size=512, num_epochs=8)
    starter_arguments = {"initial": "zeros"}

    def __init__(self, num_classes: int, feature_sizes=(1024, 128), l2: float = 1e-8, initial: str = "priors", **kwargs):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.l2 = float(l2)
        self.initial = initial
        self.video = NormalizeVideo(self.input_norm)
        self.head = LogisticHead(num_classes, l2=l2, initial=initial)

    def call(self, inputs: Dict[str, Any], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        return self.head(self.video(inputs["video"]))

    def get_config(self) -> Dict[str, Any]:
        """Every constructor argument, JSON-ready."""
        return {**super().get_config(), "l2": self.l2, "initial": self.initial}
