"""Logistic regression on the mean of the frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.heads.logistic_head import Activation, LogisticHead
from yt8m.layers.heads.prior_logits import Initial
from yt8m.layers.pooling.frames import FramePooling
from yt8m.models.core.base import FrameModel
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register


@register("FrameLevelLogisticModel")
class FrameLevelLogisticModel(FrameModel):
    """Logistic regression on the mean of the frames.

    Source: starter code (docs/sources.md#logistic-models). Each frame is normalised before the mean
    is taken.

    Args:
      initial: "priors" lets `initialize_from_priors` start the biases at the label frequencies;
        "zeros" starts them at zero, as the starter code does.
      l2: scale of the weight decay, as in TF-slim.
      activation: "sigmoid", or "softmax" over the classes for `--label_loss=SmoothedSoftmaxLoss`.
    """

    # The rate was chosen on AudioSet and on frames around the means of 5,900 videos
    # (docs/training.md).
    recipe = Recipe(base_learning_rate=0.1, batch_size=256, num_epochs=10, least_steps=50)
    starter_arguments = {"initial": "zeros"}

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        initial: Initial = "priors",
        l2: float = 1e-8,
        activation: Activation = "sigmoid",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.dequantize = DequantizeFrames(self.input_norm)
        self.pool = FramePooling("average")
        self.head = LogisticHead(num_classes, l2, initial, activation, name="head")

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        frames, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        return self.head(self.pool(frames, mask=mask))
