"""Context injection: the output of a pre-trained encoder is added to each frame, before a GRU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import tensorflow as tf

from yt8m.errors import UserError, one_of
from yt8m.layers.dequantize import DequantizeFrames, InputNorm
from yt8m.layers.recurrent.cells import make_recurrent
from yt8m.layers.recurrent.context_encoder import ContextEncoder
from yt8m.layers.recurrent.windowed import WindowedRecurrent
from yt8m.models.core.base import FrameModel, Yt8mModel
from yt8m.models.core.chosen_head import ChosenHead
from yt8m.models.core.registry import register
from yt8m.models.core.weight_transfer import check_arguments, copy_weights
from yt8m.models.recurrent.common import RECURRENT_RECIPE, never_empty, padded_to_windows
from yt8m.models.recurrent.context_encoder import ContextEncoderModel

Inject = Literal["literal", "project_1024_l2"]
Trunk = Literal["stacked", "hgru"]

# Argument of ContextEncoderModel -> argument here, for those that the encoder's weights depend on.
_SAME_ENCODER = {
    "feature_sizes": "feature_sizes",
    "input_norm": "input_norm",
    "reset_after": "reset_after",
    "cells": "encoder_cells",
    "projection_size": "encoder_projection",
}


@register("ContextGruModel", "StackGruContext")
class ContextGruModel(ChosenHead, FrameModel):
    """Stacked or hierarchical GRU over frames plus the context from a ContextEncoderModel.

    Source: UTS §2.3.1b, eq. 2: x <- stop_gradient(ContextRNN(x)) + x
    (docs/sources.md#context-injection). The encoder reads the whole video. Training takes two
    commands: train ContextEncoderModel, then train this model with --init_from set to the
    --train_dir of the first, which copies the encoder and freezes it. Without --init_from, the
    encoder is trained with the rest, unlike in the paper.

    Args:
      inject: "literal" is eq. 2 itself, with encoder outputs as wide as the frames;
        "project_1024_l2", as in UTS' code, projects the frames linearly to `injected_size`, adds
        the context, and divides each frame's sum by its L2 norm.
      trunk: "stacked" GRUs as in the paper; "hgru", as in UTS' code, is a GRU over windows, a
        hidden mixture, and a second GRU.
      freeze_encoder: train neither the encoder nor the frames' gradient through it. It needs
        --init_from, which sets it.
      encoder_cells, encoder_projection: cells and projection_size of the trained encoder.
      injected_size: width for inject=project_1024_l2; the encoder needs the same output_size.
      cells: units of each GRU of the trunk.
      layers: number of GRUs of trunk=stacked.
      window_size: frames in a window of trunk=hgru.
      hidden_mixtures, hidden_dropout: linear experts after each window of trunk=hgru, and the
        dropout after them.
      layer_dropout: rate between the layers of trunk=stacked.
      state_dropout: rate before the head.
      reset_after: form of every GRU, see `make_recurrent`.
      input_norm: that of the trained encoder; "none" as in UTS' code.

    Raises:
      ValueError: `inject` or `trunk` is not one of the choices.
    """

    recipe = RECURRENT_RECIPE
    starter_flags = {"moe_num_mixtures": "num_mixtures", "video_level_classifier_model": "head"}
    initialized_arguments = {"freeze_encoder": True}

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        inject: Inject = "literal",
        trunk: Trunk = "stacked",
        freeze_encoder: bool = False,
        encoder_cells: int = 1024,
        encoder_projection: int = 1024,
        injected_size: int = 1024,
        cells: int = 1024,
        layers: int = 2,
        window_size: int = 20,
        hidden_mixtures: int = 4,
        hidden_dropout: float = 0.5,
        layer_dropout: float = 0.5,
        state_dropout: float = 0.2,
        reset_after: bool = True,
        input_norm: InputNorm = "none",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, input_norm=input_norm, **kwargs)
        self.inject_name, self.trunk = one_of("inject", inject, Inject), trunk
        self.freeze_encoder, self.window_size = freeze_encoder, window_size
        literal = inject == "literal"
        self.context_size = self.feature_size if literal else injected_size  # of encoder outputs
        self.dequantize = DequantizeFrames(self.input_norm)
        # Without dropout, so that a frozen encoder is deterministic (UTS' code left dropout on).
        self.encoder = ContextEncoder(
            encoder_cells, encoder_projection, self.context_size, 0.0, reset_after, name="encoder"
        )
        self.encoder.trainable = not freeze_encoder
        self.project = None if literal else tf.keras.layers.Dense(injected_size, name="project")
        if one_of("trunk", trunk, Trunk) == "stacked":
            self.stack = [
                make_recurrent(
                    "gru", cells, reset_after, return_sequences=i < layers - 1, name=f"gru_{i}"
                )
                for i in range(layers)
            ]
            self.drop_layer = tf.keras.layers.Dropout(layer_dropout, name="drop_layer")
        else:
            self.first = WindowedRecurrent(
                "gru", cells, hidden_mixtures, hidden_dropout, reset_after=reset_after, name="first"
            )
            self.second = make_recurrent("gru", cells, reset_after, name="second")
        self.drop_state = tf.keras.layers.Dropout(state_dropout, name="drop_state")
        self.head = self.make_head()

    @property
    def lacks(self) -> str:
        """A trained encoder, if freeze_encoder is set."""
        if not self.freeze_encoder:
            return ""
        return (
            "freeze_encoder=true adds the context from a trained encoder. Train one with"
            " --model=ContextEncoderModel, or drop freeze_encoder to train it with the rest"
        )

    def initialize_from(self, other: Yt8mModel) -> None:
        """Copy the encoder of a ContextEncoderModel, or all weights of another ContextGruModel.

        Raises:
          UserError: the other model is of another kind, or its sizes differ.
        """
        if not isinstance(other, ContextEncoderModel):
            return super().initialize_from(other)
        check_arguments(other, self, _SAME_ENCODER)
        if other.context_size != self.context_size:
            raise UserError(
                f"--init_from: the encoder in that run returns {other.context_size} numbers per"
                f" frame, but inject={self.inject_name} adds {self.context_size}. Train it with"
                f" --model_option=output_size={self.context_size}, or choose another inject."
            )
        copy_weights(other.encoder, self.encoder, "the encoder in that run", "this run's encoder")
        # The encoder expects inputs that are standardized by the statistics of its own run.
        copy_weights(other.dequantize, self.dequantize, "the encoder's input", "this run's input")

    def inject(self, x: tf.Tensor, mask: tf.Tensor, training: Any = None) -> tf.Tensor:
        """Return frames with their context added (eq. 2).

        Args:
          x: frames [B, T, D].
          mask: [B, T], with a true frame in each row.
          training: as in `call`.
        """
        context = self.encoder(x, mask=mask, training=training)
        if self.freeze_encoder:
            context = tf.stop_gradient(context)
        if self.project is None:
            return context + x
        total = tf.cast(self.project(x) + context, tf.float32)
        return tf.cast(tf.math.l2_normalize(total, axis=-1, epsilon=1e-12), x.dtype)

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        frames, windows = inputs["frames"], 0
        if self.trunk == "hgru":
            frames, windows = padded_to_windows(frames, self.window_size)
        x, mask = self.dequantize(frames, num_frames=inputs["num_frames"])
        x = self.inject(x, never_empty(mask), training)
        if self.trunk == "stacked":
            x = self._stacked(x, never_empty(mask), training)
        else:
            size = self.window_size
            mask = tf.reshape(mask, [-1, windows, size])
            x = tf.reshape(x, [-1, windows, size, self.context_size])
            x = self.first(x, mask=mask, training=training)  # [B, S, cells]
            x = self.second(x, mask=never_empty(mask[:, :, 0]), training=training)  # [B, cells]
        return self.head(self.drop_state(x, training=training))

    def _stacked(self, x: tf.Tensor, mask: tf.Tensor, training: Any) -> tf.Tensor:
        """Return the last state [B, cells] of the top GRU."""
        for i, layer in enumerate(self.stack):
            if i:
                x = self.drop_layer(x, training=training)
            x = layer(x, mask=mask, training=training)
        return x
