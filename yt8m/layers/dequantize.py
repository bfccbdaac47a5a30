"""The first layer of every model: it dequantises, zeroes the padding, and normalises."""

from __future__ import annotations

from typing import Any, Literal

import tensorflow as tf

from yt8m.errors import one_of
from yt8m.layers.base import Yt8mLayer
from yt8m.layers.masks import first_positions
from yt8m.layers.standardize import Standardize

InputNorm = Literal["l2", "none", "standardize"]

# x = q · 4/255 + 4/512 − 2 (docs/sources.md#quantisation), as in yt8m.data.records.quantization.
_SCALE = 4.0 / 255.0
_OFFSET = 4.0 / 512.0 - 2.0


class DequantizeFrames(Yt8mLayer):
    """Conversion of frames to floats, with zeros in the padding.

    The conversion is part of every model, so that training, evaluation, export and serving agree.
    Source: the starter code (docs/sources.md#input-normalisation).

    Args:
      input_norm: "l2" divides each frame by its L2 norm over all D features; "standardize"
        subtracts from each feature its mean and divides it by its standard deviation in the
        training data; "none" does neither.

    Call: (frames [B, T, D], num_frames=int [B]) -> (frames [B, T, D] in the compute dtype, exactly
    0 in the padding; mask bool [B, T], true for the first `num_frames`). Frames of uint8 are
    dequantised; floats are used as they are.
    """

    def __init__(self, input_norm: InputNorm = "l2", **kwargs: Any):
        super().__init__(**{"autocast": False, **kwargs})
        self.input_norm = one_of("input_norm", input_norm, InputNorm)
        self.standardize = _standardize(input_norm)

    def call(self, frames: tf.Tensor, num_frames: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return (frames, mask)."""
        x = tf.cast(frames, tf.float32)
        if not frames.dtype.is_floating:
            x = x * _SCALE + _OFFSET  # [B, T, D]
        mask = first_positions(tf.shape(frames)[1], num_frames)
        scale = tf.cast(mask, tf.float32)[:, :, None]
        if self.standardize is not None:
            x = self.standardize(x)
        if self.input_norm == "l2":
            square = tf.reduce_sum(tf.square(x), axis=-1, keepdims=True)
            scale = scale * tf.math.rsqrt(tf.maximum(square, 1e-12))
        return tf.cast(x * scale, self.compute_dtype), mask


class NormalizeVideo(Yt8mLayer):
    """Normalisation of a video's mean features.

    Source: the starter code (docs/sources.md#input-normalisation).

    Args:
      input_norm: "l2" divides a video by its L2 norm over all D features; "standardize" subtracts
        from each feature its mean and divides it by its standard deviation in the training data;
        "none" does neither.

    Call: video float32 [B, D] -> [B, D] in the compute dtype.
    """

    def __init__(self, input_norm: InputNorm = "l2", **kwargs: Any):
        super().__init__(**{"autocast": input_norm != "standardize", **kwargs})
        self.input_norm = one_of("input_norm", input_norm, InputNorm)
        self.standardize = _standardize(input_norm)

    def call(self, video: tf.Tensor) -> tf.Tensor:
        """Return the normalised video [B, D]."""
        x = tf.cast(video, tf.float32)
        if self.standardize is not None:
            x = self.standardize(x)
        if self.input_norm == "l2":
            x = tf.math.l2_normalize(x, axis=-1, epsilon=1e-12)
        return tf.cast(x, self.compute_dtype)


def _standardize(input_norm: InputNorm) -> Standardize | None:
    return Standardize(name="standardize") if input_norm == "standardize" else None
