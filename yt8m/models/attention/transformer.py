"""A small transformer encoder over the frames, pooled by attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import tensorflow as tf

from yt8m.errors import one_of
from yt8m.layers.dequantize import DequantizeFrames, InputNorm
from yt8m.layers.heads.logistic_head import LogisticHead
from yt8m.layers.heads.prior_logits import Initial
from yt8m.layers.normalisation.layer_norm import LayerNorm
from yt8m.layers.transformer.attentive_probe import AttentiveProbe
from yt8m.layers.transformer.class_token import ClassToken
from yt8m.layers.transformer.encoder_block import EncoderBlock
from yt8m.layers.transformer.positions import PlaceEmbedding, Positions
from yt8m.models.core.base import FrameModel
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register

Pooling = Literal["probe", "class_token"]


@register("TransformerModel")
class TransformerModel(FrameModel):
    """A small transformer encoder over the frames, an attentive probe and a logistic layer.

    Source: docs/sources.md#transformer.

    Args:
      layers: number of blocks; 2 to 4 suit the released features.
      width: width of the frames within the blocks; the heads divide it.
      heads: heads of each attention.
      hidden_size: width of the hidden layer of each block.
      dropout: rate in the blocks in training.
      head_dropout: rate before the head in training.
      positions: embedding of a frame's place in its video: "sinusoidal", "learned" or "none".
      pooling: "probe" attends to all frames with a learned query; "class_token" is one more frame,
        and its output is the video's vector.
      input_norm: "none", or "l2".
      initial: "priors" starts the output at the label frequencies; "zeros" starts its biases at
        zero.
    """

    recipe = Recipe(
        optimizer="AdamW",
        base_learning_rate=0.001,
        batch_size=256,
        num_epochs=10,
        weight_decay=0.05,
        clip_gradient_norm=0.0,
        global_clip_norm=1.0,
        train_frames=60,
        frame_sampling="spread",
        label_loss="BinaryCrossEntropyLoss",
    )

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        layers: int = 3,
        width: int = 512,
        heads: int = 8,
        hidden_size: int = 2048,
        dropout: float = 0.2,
        head_dropout: float = 0.5,
        positions: Positions = "sinusoidal",
        pooling: Pooling = "probe",
        input_norm: InputNorm = "none",
        initial: Initial = "priors",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, input_norm=input_norm, **kwargs)
        one_of("pooling", pooling, Pooling)
        self.dequantize = DequantizeFrames(self.input_norm)
        self.project = tf.keras.layers.Dense(width, name="project")
        self.place = PlaceEmbedding(positions, name="place")
        self.token = ClassToken(name="token") if pooling == "class_token" else None
        self.blocks = [
            EncoderBlock(heads, hidden_size, dropout, name=f"block_{i}") for i in range(layers)
        ]
        self.final_norm = LayerNorm(name="final_norm")
        self.probe = AttentiveProbe(heads, name="probe") if pooling == "probe" else None
        self.drop = tf.keras.layers.Dropout(head_dropout, name="drop")
        # The head's input has about one unit of variance in each of its numbers.
        self.head = LogisticHead(num_classes, 0.0, initial, kernel_scale=0.01, name="head")

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        x = self.project(x)  # [B, T, width]
        x = self.place(x, num_frames=inputs["num_frames"])
        if self.token is not None:
            x = self.token(x)  # [B, 1 + T, width]
            mask = tf.pad(mask, [[0, 0], [1, 0]], constant_values=True)
        for block in self.blocks:
            x = block(x, mask=mask, training=training)
        if self.probe is not None:
            v = self.probe(self.final_norm(x), mask=mask)  # [B, width]
        else:
            v = self.final_norm(x[:, 0])
        return self.head(self.drop(v, training=training))
