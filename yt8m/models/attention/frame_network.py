"""What the attention networks of AudioSet share: their layers on every frame, and their recipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames, InputNorm
from yt8m.layers.heads.prior_logits import Initial
from yt8m.layers.normalisation.normalized_relu import NormalizedRelu
from yt8m.models.core.base import FrameModel
from yt8m.models.core.recipe import Recipe

# The published rate is a constant 0.001, without mixup, for 25 passes or more. On AudioSet's
# balanced split that gives FeatureAttentionModel a MAP of 0.291 over all classes (25 passes, seed
# 0). Three times the rate, which falls to zero over 40 passes, with mixup, gives 0.298. AudioSet
# has 44 batches; larger data sets need fewer passes. The published clips have ten frames, which are
# all used; of a longer video, 30 keep a batch of 500 within the memory of a small machine.
AUDIOSET_RECIPE = Recipe(
    base_learning_rate=0.003,
    batch_size=500,
    num_epochs=5,
    least_steps=1760,
    weight_average=0.998,
    mixup=0.5,
    train_frames=30,
    frame_sampling="spread",
    clip_gradient_norm=0.0,
    label_loss="BinaryCrossEntropyLoss",
)


class FrameNetwork(FrameModel):
    """A frame-level model that begins with fully connected layers on every frame.

    Source: docs/sources.md#attention-networks-of-audioset.

    Args:
      layers: number of fully connected layers on every frame.
      hidden_size: their width.
      dropout: rate after each of them in training.
      levels: number of layers, counted from the last one, to whose outputs attention is applied;
        1 is single-level and 2 multi-level attention.
      input_norm: "none", as in the published code, or "l2".
      initial: "priors" starts the output at the label frequencies; "zeros" starts its biases at
        zero, as the published code does.

    Raises:
      ValueError: there are more levels than layers.
    """

    recipe = AUDIOSET_RECIPE

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        layers: int = 3,
        hidden_size: int = 1024,
        dropout: float = 0.5,
        levels: int = 1,
        input_norm: InputNorm = "none",
        initial: Initial = "priors",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, input_norm=input_norm, **kwargs)
        if levels > layers:
            raise ValueError(f"levels={levels} needs as many layers, but layers={layers}")
        self.levels, self.initial = levels, initial
        self.dequantize = DequantizeFrames(self.input_norm)
        self.embed = [
            NormalizedRelu(hidden_size, dropout, name=f"embed_{i}") for i in range(layers)
        ]

    def embedded(
        self, inputs: dict[str, tf.Tensor], training: Any = None
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Return (the outputs [B, T, hidden_size] of the last `levels` layers, mask [B, T])."""
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        outputs = []
        for layer in self.embed:
            x = layer(x, mask=mask, training=training)
            outputs.append(x)
        return outputs[-self.levels :], mask
