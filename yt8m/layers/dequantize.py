"""From the bytes of a record to the numbers a model computes with: dequantised, padding zeroed, normalised.

Frames travel as uint8 up to the model, a quarter of the memory, and every script that runs a model
then agrees on what a frame is.
"""

from __future__ import annotations

from typing import Any, Dict, Tuple

import tensorflow as tf

# Features were clipped to [-2, 2] and cut into 255 steps; the offset is the middle of the first step.
SCALE = 4.0 / 255.0
OFFSET = 4.0 / 512.0 - 2.0
EPSILON = 1e-12
NORMS = ("l2", "none")


def frame_mask(num_frames: Any, max_frames: int) -> tf.Tensor:
    """Return bool [B, T], true for the first `num_frames` [B] of `max_frames` = T steps."""
    return tf.range(max_frames)[None, :] < tf.cast(num_frames, tf.int32)[:, None]


def check_norm(input_norm: str) -> str:
    """Return `input_norm`; ValueError unless it is one of NORMS."""
    if input_norm not in NORMS:
        raise ValueError(f"input_norm is one of {NORMS}, not {input_norm!r}")
    return input_norm


@tf.keras.utils.register_keras_serializable(package="yt8m")
class DequantizeFrames(tf.keras.layers.Layer):
    """Dequantise frames, set padding to 0 and divide each frame by its L2 norm (starter code, utils and train).

    Args:
      input_norm: "l2" for x / sqrt(max(sum_d x_d^2, 1e-12)) over all D features; "none" leaves x.

    Call: (uint8 [B, T, D], num_frames=int32 [B]) -> (float [B, T, D] in the compute dtype, bool mask [B, T]).
    """

    def __init__(self, input_norm: str = "l2", **kwargs: Any):
        super().__init__(autocast=False, **kwargs)
        self.input_norm = check_norm(input_norm)

    def call(self, frames: Any, num_frames: Any) -> Tuple[tf.Tensor, tf.Tensor]:
        """Return the frames and the mask of those that exist."""
        mask = frame_mask(num_frames, tf.shape(frames)[1])  # [B, T]
        x = tf.cast(frames, tf.float32) * SCALE + OFFSET  # [B, T, D]
        factor = tf.cast(mask, tf.float32)[..., None]  # [B, T, 1]
        if self.input_norm == "l2":
            square = tf.reduce_sum(tf.square(x), axis=-1, keepdims=True)
            factor *= tf.math.rsqrt(tf.maximum(square, EPSILON))
        return tf.cast(x * factor, self.compute_dtype), mask

    def get_config(self) -> Dict[str, Any]:
        """Every constructor argument."""
        return {**_without_autocast(super().get_config()), "input_norm": self.input_norm}


@tf.keras.utils.register_keras_serializable(package="yt8m")
class NormalizeVideo(tf.keras.layers.Layer):
    """Divide each vector by its L2 norm over the last axis, in float32 (starter code, train).

    Args:
      input_norm: "l2" or "none".

    Call: float [..., D] -> [..., D] in the compute dtype.
    """

    def __init__(self, input_norm: str = "l2", **kwargs: Any):
        super().__init__(autocast=False, **kwargs)
        self.input_norm = check_norm(input_norm)

    def call(self, video: Any) -> tf.Tensor:
        """Return the normalised vectors."""
        x = tf.cast(video, tf.float32)
        if self.input_norm == "l2":
            x = tf.math.l2_normalize(x, axis=-1, epsilon=EPSILON)
        return tf.cast(x, self.compute_dtype)

    def get_config(self) -> Dict[str, Any]:
        """Every constructor argument."""
        return {**_without_autocast(super().get_config()), "input_norm": self.input_norm}


def _without_autocast(config: Dict[str, Any]) -> Dict[str, Any]:
    # Keras 2 writes the flag into the config, where it would clash with the one that __init__ sets.
    return {key: value for key, value in config.items() if key != "autocast"}
