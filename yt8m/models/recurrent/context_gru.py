"""Context injection: what a pre-trained encoder makes of the frames so far is added to each frame, before a GRU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.errors import UserError
from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.heads.by_name import make_head
from yt8m.layers.recurrent.cells import make_recurrent
from yt8m.layers.recurrent.context_encoder import ContextEncoder
from yt8m.layers.recurrent.windowed import WindowedRecurrent
from yt8m.models.core.base import FrameModel, Yt8mModel
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register
from yt8m.models.core.weight_transfer import check_arguments, copy_weights
from yt8m.models.recurrent.context_encoder import ContextEncoderModel
from yt8m.models.recurrent.stacked_rnn import never_empty

LITERAL, PROJECT = "literal", "project_1024_l2"
STACKED, HGRU = "stacked", "hgru"


@register("ContextGruModel", "StackGruContext")
class ContextGruModel(FrameModel):
    """Stacked or hierarchical GRU over frames with context added, by an encoder that ContextEncoderModel trained.

    Source: UTS §2.3.1b, eq. 2: x <- stop_gradient(ContextRNN(x)) + x (spec C.7, trap E-13). The encoder reads the
    whole video. Two commands: train ContextEncoderModel, then this with --init_from its --train_dir, which takes
    the encoder and freezes it. Without --init_from the encoder learns with the rest, which is not the paper's.

    Args:
      inject: "literal", eq. 2 as it stands, the encoder's outputs being as wide as the frames; "project_1024_l2",
        as in UTS' code: a linear layer brings the frames to `injected_size`, the context is added, and each
        frame's sum is divided by its L2 norm.
      trunk: "stacked" GRUs, the paper's; "hgru", UTS' code: a GRU over windows, a hidden mixture, a second GRU.
      freeze_encoder: the encoder and the gradient through it stop at the frames; only with --init_from, which sets it.
      encoder_cells, encoder_projection: as the encoder was trained, its cells and projection_size.
      injected_size: of inject=project_1024_l2; the encoder is then trained with output_size of the same.
      cells: units of each GRU of the trunk.
      layers: of trunk=stacked.
      window_size, hidden_mixtures, hidden_dropout: of trunk=hgru: frames of a window, linear experts and dropout after it.
      layer_dropout: rate between layers of trunk=stacked.
      state_dropout: rate before the head.
      reset_after: of every GRU, see `make_recurrent`.
      head: "moe" or "logistic".
      num_mixtures: experts a class.
      initial: of the head.
      input_norm: as the encoder was trained; "none" as in UTS' code.
    """

    recipe = Recipe(
        base_learning_rate=0.001,
        batch_size=128,
        num_epochs=5,
        clip_gradient_norm=0.0,
        global_clip_norm=5.0,
        weight_average=0.999,
    )
    starter_flags = {"moe_num_mixtures": "num_mixtures", "video_level_classifier_model": "head"}
    initialized_arguments = {"freeze_encoder": True}

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        inject: str = LITERAL,
        trunk: str = STACKED,
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
        head: str = "moe",
        num_mixtures: int = 2,
        initial: str = "priors",
        input_norm: str = "none",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, input_norm, **kwargs)
        if inject not in (LITERAL, PROJECT) or trunk not in (STACKED, HGRU):
            raise ValueError(
                f"inject is {LITERAL} or {PROJECT}, and trunk {STACKED} or {HGRU}, not {inject!r}, {trunk!r}"
            )
        self.inject_name, self.trunk, self.freeze_encoder = inject, trunk, freeze_encoder
        self.encoder_cells, self.encoder_projection, self.injected_size = (
            encoder_cells,
            encoder_projection,
            injected_size,
        )
        self.cells, self.num_layers, self.window_size, self.hidden_mixtures = (
            cells,
            layers,
            window_size,
            hidden_mixtures,
        )
        self.hidden_dropout, self.layer_dropout, self.state_dropout = (
            hidden_dropout,
            layer_dropout,
            state_dropout,
        )
        self.reset_after, self.head_name, self.num_mixtures, self.initial = (
            reset_after,
            head,
            num_mixtures,
            initial,
        )
        self.dequantize = DequantizeFrames(self.input_norm)
        # No dropout: a frozen encoder gives what it gives (UTS' code left it on).
        self.encoder = ContextEncoder(
            encoder_cells, encoder_projection, self.context_size, 0.0, reset_after, name="encoder"
        )
        self.encoder.trainable = not freeze_encoder
        self.project = (
            tf.keras.layers.Dense(injected_size, name="project") if inject == PROJECT else None
        )
        if trunk == STACKED:
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
        self.head = make_head(head, num_classes, num_mixtures, initial)

    @property
    def context_size(self) -> int:
        """Width of the encoder's outputs."""
        return self.feature_size if self.inject_name == LITERAL else self.injected_size

    @property
    def lacks(self) -> str:
        """With freeze_encoder, a trained encoder."""
        if not self.freeze_encoder:
            return ""
        return (
            "freeze_encoder=true adds the context of a trained encoder; train one with --model=ContextEncoderModel, or drop"
            " freeze_encoder to train it with the rest"
        )

    def initialize_from(self, other: Yt8mModel) -> None:
        """Take the encoder of a ContextEncoderModel, or all of another ContextGruModel.

        Raises:
          UserError: another kind of model, or of other sizes.
        """
        if not isinstance(other, ContextEncoderModel):
            return super().initialize_from(other)
        same = ("feature_sizes", "input_norm", "reset_after")
        renamed = {"cells": "encoder_cells", "projection_size": "encoder_projection"}
        check_arguments(other, self, {**{name: name for name in same}, **renamed})
        if other.context_size != self.context_size:
            raise UserError(
                f"--init_from: the encoder there gives {other.context_size} numbers a frame, and inject={self.inject_name} adds"
                f" {self.context_size}. Train it with --model_option=output_size={self.context_size}, or inject otherwise."
            )
        copy_weights(other.encoder, self.encoder, "the encoder there", "the encoder here")

    def inject(self, x: tf.Tensor, mask: tf.Tensor, training: Any = None) -> tf.Tensor:
        """Return the frames x [B, T, D] with their context added (eq. 2); `mask` [B, T] has a true frame in each row."""
        context = self.encoder(x, mask=mask, training=training)
        if self.freeze_encoder:
            context = tf.stop_gradient(context)
        if self.project is None:
            return context + x
        total = tf.cast(self.project(x) + context, tf.float32)
        return tf.cast(tf.math.l2_normalize(total, axis=-1, epsilon=1e-12), x.dtype)

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        frames, window = inputs["frames"], self.window_size
        if self.trunk == HGRU:
            rest = -(frames.shape[1] or tf.shape(frames)[1]) % window
            frames = tf.pad(frames, [[0, 0], [0, rest], [0, 0]])
        x, mask = self.dequantize(frames, num_frames=inputs["num_frames"])
        x = self.inject(x, never_empty(mask), training)
        if self.trunk == STACKED:
            for i, layer in enumerate(self.stack):
                x = layer(
                    self.drop_layer(x, training=training) if i else x,
                    mask=never_empty(mask),
                    training=training,
                )
        else:
            windows = (frames.shape[1] or tf.shape(frames)[1]) // window
            mask = tf.reshape(mask, [-1, windows, window])
            x = self.first(
                tf.reshape(x, [-1, windows, window, self.context_size]),
                mask=mask,
                training=training,
            )
            x = self.second(
                x, mask=never_empty(mask[:, :, 0]), training=training
            )  # [B, S, cells] -> [B, cells]
        return self.head(self.drop_state(x, training=training))

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        names = (
            "trunk",
            "freeze_encoder",
            "encoder_cells",
            "encoder_projection",
            "injected_size",
            "cells",
            "window_size",
        )
        names += (
            "hidden_mixtures",
            "hidden_dropout",
            "layer_dropout",
            "state_dropout",
            "reset_after",
            "num_mixtures",
            "initial",
        )
        return {
            **super().get_config(),
            **{n: getattr(self, n) for n in names},
            "inject": self.inject_name,
            "layers": self.num_layers,
            "head": self.head_name,
        }
