"""Stacked LSTMs over the frames, as the starter code has them."""

from __future__ import annotations

from typing import Any, Dict, Sequence

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.heads import make_head
from yt8m.models.base import FrameModel
from yt8m.models.recipe import Recipe
from yt8m.models.registry import register


@register("LstmModel")
class LstmModel(FrameModel):
    """Stacked LSTMs, the top one's last state into a mixture of experts.

    Source: starter code (spec A.12). Padding is masked: the last state is that of the last true frame.

    Args:
      cells: units of each layer.
      layers: how many.
      head: "moe", "logistic" or "softmax".
      num_mixtures: experts a class.
      initial: of the head.
    """

    recipe = Recipe(
        base_learning_rate=0.001,
        batch_size=128,
        num_epochs=5,
        clip_gradient_norm=0.0,
        global_clip_norm=5.0,
        weight_average=0.999,
    )
    starter_flags = {
        "lstm_cells": "cells",
        "lstm_layers": "layers",
        "moe_num_mixtures": "num_mixtures",
        "video_level_classifier_model": "head",
    }
    starter_arguments = {"initial": "zeros"}
    starter_recipe = {"base_learning_rate": 0.001, "batch_size": 128}

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        cells: int = 1024,
        layers: int = 2,
        head: str = "moe",
        num_mixtures: int = 2,
        initial: str = "priors",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.cells, self.num_layers = cells, layers
        self.head_name, self.num_mixtures, self.initial = head, num_mixtures, initial
        self.dequantize = DequantizeFrames(self.input_norm)
        self.stack = [
            tf.keras.layers.LSTM(cells, return_sequences=i < layers - 1, unit_forget_bias=True, name=f"lstm_{i}") for i in range(layers)
        ]
        self.head = make_head(head, num_classes, num_mixtures, initial)

    def call(self, inputs: Dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        # A video without frames is read as one black frame, for a mask must leave something.
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        mask = tf.concat([tf.ones_like(mask[:, :1]), mask[:, 1:]], axis=1)
        for layer in self.stack:
            x = layer(x, mask=mask, training=training)
        return self.head(x)

    def get_config(self) -> Dict[str, Any]:
        """Every constructor argument."""
        return {
            **super().get_config(),
            "cells": self.cells,
            "layers": self.num_layers,
            "head": self.head_name,
            "num_mixtures": self.num_mixtures,
            "initial": self.initial,
        }
