"""A chain of mixtures of experts, each of which sees what the earlier ones predicted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.dequantize import NormalizeVideo
from yt8m.layers.heads.mixture_of_experts import MixtureOfExperts
from yt8m.layers.heads.prior_logits import Initial
from yt8m.layers.regularizers import slim_l2
from yt8m.models.core.base import Inputs, Loss, VideoModel
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register


@register("ChainedMoeModel", "DeepCombineChainModel")
class ChainedMoeModel(VideoModel):
    """A chain of mixtures of experts on video-level features; each sees the earlier predictions.

    Source: docs/sources.md#chained-mixtures. `num_stages=8 support_loss=0.025` is the published
    model; the defaults are a chain that takes 4 times the work of `MoeModel` instead of 13.

    Args:
      num_stages: number of mixtures before the last, which gives the predictions.
      relu_size: width of the layer that reduces a stage's predictions for the next ones.
      num_mixtures: number of experts of each class in every mixture.
      support_loss: share of the earlier mixtures' losses in the loss.
      initial: "priors" lets `initialize_from_priors` start the mixtures at the label frequencies;
        "zeros" starts their biases at zero, as the published code does.
      l2: scale of the weight decay, as in TF-slim.
    """

    recipe = Recipe(base_learning_rate=0.004, batch_size=512, num_epochs=8)
    starter_flags = {"moe_num_mixtures": "num_mixtures"}
    starter_arguments = {"initial": "zeros"}

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        num_stages: int = 3,
        relu_size: int = 128,
        num_mixtures: int = 2,
        support_loss: float = 0.05,
        initial: Initial = "priors",
        l2: float = 1e-8,
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.support_loss = support_loss
        self.normalize = NormalizeVideo(self.input_norm)
        self.stages = [
            MixtureOfExperts(num_classes, num_mixtures, l2=l2, initial=initial, name=f"stage_{i}")
            for i in range(num_stages)
        ]
        self.reducers = [
            tf.keras.layers.Dense(
                relu_size, activation="relu", kernel_regularizer=slim_l2(l2), name=f"reducer_{i}"
            )
            for i in range(num_stages)
        ]
        self.head = MixtureOfExperts(num_classes, num_mixtures, l2=l2, initial=initial, name="head")

    def predictions_of_stages(self, inputs: Inputs) -> list[tf.Tensor]:
        """Return the probabilities [B, K] of every mixture, those of the last one last."""
        x = self.normalize(inputs["video"])
        found = []
        for stage, reduce in zip(self.stages, self.reducers):
            # A copy, because it is used twice: the fused loss of a mixture's own output would
            # compute the mixture again.
            found.append(tf.identity(stage(x)))
            reduced = tf.cast(reduce(found[-1]), tf.float32)  # [B, relu_size]
            reduced = tf.math.l2_normalize(reduced, axis=-1, epsilon=1e-12)
            x = tf.concat([x, tf.cast(reduced, x.dtype)], axis=-1)
        return [*found, self.head(x)]

    def call(self, inputs: Inputs, training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        return self.predictions_of_stages(inputs)[-1]

    def training_loss(
        self, inputs: Inputs, labels: Any, weights: Any | None, loss: Loss
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return (1 − s) times the loss of the last mixture plus s times that of each other, p."""
        *earlier, last = self.predictions_of_stages(inputs)
        total = (1.0 - self.support_loss) * loss(labels, last, weights)
        for predictions in earlier:
            total += self.support_loss * loss(labels, predictions, weights)
        return total, last
