"""Pre-training of the context encoder: from a clip of a video, write the clip before it and the one after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

import tensorflow as tf

from yt8m.errors import UserError
from yt8m.layers.dequantize import DequantizeFrames
from yt8m.layers.recurrent.attention_decoder import AttentionDecoder
from yt8m.layers.recurrent.context_encoder import ContextEncoder
from yt8m.layers.scaled_huber import scaled_huber
from yt8m.models.core.base import ReconstructionModel
from yt8m.models.core.recipe import Recipe
from yt8m.models.core.registry import register

PREV_NEXT, SELF_REVERSED = "prev_next", "self_reversed"


@register("ContextEncoderModel")
class ContextEncoderModel(ReconstructionModel):
    """Reads a clip and writes its neighbours; its encoder is what ContextGruModel adds to the frames.

    Source: UTS §2.3.1b, first stage (spec C.7, trap E-12). Each video's loss is Σ over its decoders of the mean
    over the true frames of the scaled Huber error, summed over the D features. A frame past either end of the
    video counts nothing, so a video of no more than `clip_size` frames teaches nothing by "prev_next". The clip
    begins at random in training and is the video's middle in validation.

    The decoders start from the encoder's output of the clip's last frame, and look back at its outputs without a
    gradient: all that the encoder learns, it learns by that one vector. (UTS' decoder started from the GRU's
    state, before the output projection, which then nothing trained; eq. 2 adds what that projection gives.)

    Args:
      clip_size: frames of a clip.
      target: "prev_next", the clips before and after, a decoder each, as in the paper; "self_reversed", the same
        clip backwards by one decoder, as in UTS' code.
      cells: units of the encoder and of each decoder.
      projection_size: what the encoder projects a frame to before its GRU.
      output_size: width of the encoder's outputs; 0 is D, so that eq. 2 holds as it stands.
      attention_size: hidden width of the decoders' attention.
      dropout: rate into and out of each GRU, in training.
      reset_after: of the encoder's GRU, see `make_recurrent`.
      input_norm: "none" as in UTS' code; "l2".
    """

    recipe = Recipe(
        base_learning_rate=0.001,
        batch_size=128,
        num_epochs=5,
        clip_gradient_norm=0.0,
        global_clip_norm=5.0,
        weight_average=0.999,
    )

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        clip_size: int = 50,
        target: str = PREV_NEXT,
        cells: int = 1024,
        projection_size: int = 1024,
        output_size: int = 0,
        attention_size: int = 100,
        dropout: float = 0.5,
        reset_after: bool = True,
        input_norm: str = "none",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, input_norm, **kwargs)
        if target not in (PREV_NEXT, SELF_REVERSED):
            raise ValueError(f"target is {PREV_NEXT} or {SELF_REVERSED}, not {target!r}")
        if clip_size < 1:
            raise ValueError(f"clip_size is at least 1, not {clip_size}")
        self.clip_size, self.target, self.cells, self.projection_size = (
            clip_size,
            target,
            cells,
            projection_size,
        )
        self.output_size, self.attention_size, self.dropout, self.reset_after = (
            output_size,
            attention_size,
            dropout,
            reset_after,
        )
        self.dequantize = DequantizeFrames(self.input_norm)
        self.encoder = ContextEncoder(
            cells, projection_size, self.context_size, dropout, reset_after, name="encoder"
        )
        self.drop_memory = tf.keras.layers.Dropout(dropout, name="drop_memory")
        self.decoders = [
            AttentionDecoder(
                cells,
                self.feature_size,
                self.context_size,
                attention_size,
                dropout,
                name=f"decoder_{i}",
            )
            for i in range(2 if target == PREV_NEXT else 1)
        ]

    @property
    def context_size(self) -> int:
        """Width of the encoder's outputs."""
        return self.output_size or self.feature_size

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return the loss of each video, float32 [B]."""
        x, _ = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        count = tf.minimum(tf.cast(inputs["num_frames"], tf.int32), tf.shape(x)[1])  # [B]
        start = self._start(count, training)
        steps = tf.range(self.clip_size)[None, :]  # [1, L]
        frames, mask = take_frames(x, start[:, None] + steps, count)  # [B, L, D], [B, L]
        read = tf.concat(
            [tf.ones_like(mask[:, :1]), mask[:, 1:]], axis=1
        )  # a video without frames is one black frame
        context = self.encoder(frames, mask=read, training=training)  # [B, L, M]
        length = tf.clip_by_value(count - start, 1, self.clip_size)  # [B]
        last = tf.gather(context, length - 1, batch_dims=1)  # [B, M]
        memory = tf.stop_gradient(self.drop_memory(context, training=training))
        if self.target == PREV_NEXT:
            wanted = [
                start[:, None] - self.clip_size + steps,
                start[:, None] + self.clip_size + steps,
            ]
        else:
            wanted = [
                tf.where(steps < length[:, None], start[:, None] + length[:, None] - 1 - steps, -1)
            ]
        losses = []
        for decoder, indices in zip(self.decoders, wanted):
            truth, known = take_frames(x, indices, count)
            given = tf.pad(truth[:, :-1], [[0, 0], [1, 0], [0, 0]])  # the frame before, zeros first
            written = decoder(given, start=last, memory=memory, memory_mask=read, training=training)
            losses.append(reconstruction_error(written, truth, known))
        return tf.add_n(losses)

    def _start(self, count: tf.Tensor, training: Any) -> tf.Tensor:
        """Return where each clip begins, int32 [B]: so that it is whole, where the video is long enough."""
        room = tf.maximum(count - self.clip_size, 0)
        if not training:
            return room // 2
        u = tf.random.uniform(tf.shape(count))
        return tf.minimum(tf.cast(u * tf.cast(room + 1, tf.float32), tf.int32), room)

    def training_loss(
        self,
        inputs: dict[str, Any],
        labels: Any,
        weights: Any | None,
        loss: Callable[..., tf.Tensor],
    ) -> tuple[tf.Tensor, None]:
        """Return (loss of each video [B], None: there are no predictions).

        Raises:
          UserError: no clip has a neighbour, however long the video.
        """
        longest = inputs["frames"].shape[1]
        if self.target == PREV_NEXT and longest is not None and longest <= self.clip_size:
            raise UserError(
                f"clip_size={self.clip_size} leaves no frame before or after a clip in videos of at most {longest} frames"
                f" (--max_frames); set --model_option=clip_size={max(1, longest // 4)}."
            )
        return super().training_loss(inputs, labels, weights, loss)

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        names: list[str] = [
            "clip_size",
            "target",
            "cells",
            "projection_size",
            "output_size",
            "attention_size",
            "dropout",
            "reset_after",
        ]
        return {**super().get_config(), **{n: getattr(self, n) for n in names}}


def take_frames(x: tf.Tensor, indices: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return (frames [B, L, D], mask [B, L]) of x [B, T, D] at `indices` [B, L]; zeros where they are none of the first `count` [B]."""
    mask = (indices >= 0) & (indices < count[:, None])
    frames = tf.gather(x, tf.clip_by_value(indices, 0, tf.shape(x)[1] - 1), batch_dims=1)
    return tf.where(mask[:, :, None], frames, tf.zeros_like(frames)), mask


def reconstruction_error(written: tf.Tensor, truth: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Return the scaled Huber error, summed over features, its mean over the masked steps; 0 without any: float32 [B]."""
    each = tf.reduce_sum(
        scaled_huber(tf.cast(written, tf.float32) - tf.cast(truth, tf.float32)), axis=-1
    )  # [B, L]
    weight = tf.cast(mask, tf.float32)
    return tf.math.divide_no_nan(
        tf.reduce_sum(each * weight, axis=1), tf.reduce_sum(weight, axis=1)
    )
