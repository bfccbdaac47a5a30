"""Pre-training of the context encoder: predict the clips before and after a clip of a video."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import tensorflow as tf

from yt8m.errors import UserError, one_of
from yt8m.layers.dequantize import DequantizeFrames, InputNorm
from yt8m.layers.recurrent.attention_decoder import AttentionDecoder
from yt8m.layers.recurrent.context_encoder import ContextEncoder
from yt8m.layers.scaled_huber import scaled_huber
from yt8m.models.core.base import Inputs, Loss, ReconstructionModel
from yt8m.models.core.registry import register
from yt8m.models.recurrent.common import RECURRENT_RECIPE, never_empty

Target = Literal["prev_next", "self_reversed"]


@register("ContextEncoderModel")
class ContextEncoderModel(ReconstructionModel):
    """Reads a clip and reconstructs its neighbours, to pre-train the encoder of ContextGruModel.

    Source: UTS §2.3.1b, first stage (docs/sources.md#context-encoder). The loss of a video is the
    sum over the decoders of the scaled Huber error, summed over the D features and averaged over
    the true frames. Frames beyond either end of the video do not count, so a video of at most
    `clip_size` frames contributes nothing to "prev_next". The clip begins at random in training and
    is the middle of the video in validation.

    The decoders start from the encoder's output for the last frame of the clip, and attend to its
    outputs without a gradient: everything that the encoder learns, it learns through that one
    vector. (UTS' decoder started from the state of the GRU before the output projection, so nothing
    trained that projection, although eq. 2 adds its output.)

    Args:
      clip_size: frames in a clip.
      target: "prev_next" writes the clips before and after, with a decoder each, as in the paper;
        "self_reversed" writes the same clip backwards with one decoder, as in UTS' code.
      cells: units of the encoder and of each decoder.
      projection_size: width of the encoder's projection of each frame before its GRU.
      output_size: width of the encoder's outputs. 0 is D, for which eq. 2 holds literally.
      attention_size: hidden width of the decoders' attention.
      dropout: rate before and after each GRU in training.
      reset_after: form of the encoder's GRU, see `make_recurrent`.
      input_norm: "none", as in UTS' code, or "l2".

    Raises:
      ValueError: `target` is not one of the choices, or `clip_size` is less than 1.
    """

    recipe = RECURRENT_RECIPE

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        clip_size: int = 50,
        target: Target = "prev_next",
        cells: int = 1024,
        projection_size: int = 1024,
        output_size: int = 0,
        attention_size: int = 100,
        dropout: float = 0.5,
        reset_after: bool = True,
        input_norm: InputNorm = "none",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, input_norm, **kwargs)
        if clip_size < 1:
            raise ValueError(f"clip_size must be at least 1, not {clip_size}")
        self.clip_size, self.target = clip_size, one_of("target", target, Target)
        self.context_size = output_size or self.feature_size  # width of the encoder's outputs
        self.dequantize = DequantizeFrames(self.input_norm)
        self.encoder = ContextEncoder(
            cells, projection_size, self.context_size, dropout, reset_after, name="encoder"
        )
        self.drop_memory = tf.keras.layers.Dropout(dropout, name="drop_memory")
        sizes = (cells, self.feature_size, self.context_size, attention_size)
        self.decoders = [
            AttentionDecoder(*sizes, dropout, name=f"decoder_{i}")
            for i in range(2 if target == "prev_next" else 1)
        ]

    def call(self, inputs: Inputs, training: Any = None) -> tf.Tensor:
        """Return the loss of each video, float32 [B]."""
        x, _ = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        count = tf.minimum(tf.cast(inputs["num_frames"], tf.int32), tf.shape(x)[1])  # [B]
        start = self._start(count, training)
        steps = tf.range(self.clip_size)[None, :]  # [1, L]
        frames, mask = take_frames(x, start[:, None] + steps, count)  # [B, L, D], [B, L]
        mask = never_empty(mask)
        context = self.encoder(frames, mask=mask, training=training)  # [B, L, M]
        length = tf.clip_by_value(count - start, 1, self.clip_size)  # [B]
        last = tf.gather(context, length - 1, batch_dims=1)  # [B, M]
        memory = self.drop_memory(context, training=training)
        losses = []
        for decoder, indices in zip(self.decoders, self._targets(start, length, steps)):
            truth, known = take_frames(x, indices, count)
            given = tf.pad(truth[:, :-1], [[0, 0], [1, 0], [0, 0]])  # the frame before, zeros first
            written = decoder(given, start=last, memory=memory, memory_mask=mask, training=training)
            losses.append(reconstruction_error(written, truth, known))
        return tf.add_n(losses)

    def _start(self, count: tf.Tensor, training: Any) -> tf.Tensor:
        """Return the first frame of each clip, int32 [B]; the clip is complete if possible."""
        room = tf.maximum(count - self.clip_size, 0)
        if not training:
            return room // 2
        u = tf.random.uniform(tf.shape(count))
        return tf.minimum(tf.cast(u * tf.cast(room + 1, tf.float32), tf.int32), room)

    def _targets(self, start: tf.Tensor, length: tf.Tensor, steps: tf.Tensor) -> list[tf.Tensor]:
        """Return the frame indices [B, L] that each decoder has to reconstruct; -1 means none."""
        start, length = start[:, None], length[:, None]
        if self.target == "prev_next":
            return [start - self.clip_size + steps, start + self.clip_size + steps]
        return [tf.where(steps < length, start + length - 1 - steps, -1)]

    def training_loss(
        self, inputs: Inputs, labels: Any, weights: Any | None, loss: Loss
    ) -> tuple[tf.Tensor, None]:
        """Return (loss of each video [B], None, because there are no predictions).

        Raises:
          UserError: no clip has a neighbour, however long the video is.
        """
        longest = inputs["frames"].shape[1]
        if self.target == "prev_next" and longest is not None and longest <= self.clip_size:
            raise UserError(
                f"clip_size={self.clip_size} leaves no frame before or after a clip in videos of at"
                f" most {longest} frames (--max_frames); set"
                f" --model_option=clip_size={max(1, longest // 4)}."
            )
        return super().training_loss(inputs, labels, weights, loss)


def take_frames(x: tf.Tensor, indices: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return (frames [B, L, D], mask [B, L]) of x [B, T, D] at `indices` [B, L].

    The mask is false, and the frame zero, at an index outside the first `count` [B] frames.
    """
    mask = (indices >= 0) & (indices < count[:, None])
    frames = tf.gather(x, tf.clip_by_value(indices, 0, tf.shape(x)[1] - 1), batch_dims=1)
    return tf.where(mask[:, :, None], frames, tf.zeros_like(frames)), mask


def reconstruction_error(written: tf.Tensor, truth: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Return the scaled Huber error float32 [B] of frames [B, L, D].

    It is summed over the features and averaged over the steps in `mask` [B, L]; without such steps
    it is 0.
    """
    errors = scaled_huber(tf.cast(written, tf.float32) - tf.cast(truth, tf.float32))
    each = tf.reduce_sum(errors, axis=-1)  # [B, L]
    weight = tf.cast(mask, tf.float32)
    total = tf.reduce_sum(each * weight, axis=1)
    return tf.math.divide_no_nan(total, tf.reduce_sum(weight, axis=1))
