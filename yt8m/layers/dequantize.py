"""The first layer of every model: bytes to floats, padding to zero, and the input's normalisation."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# x = q · 4/255 + 4/512 − 2 (starter code; spec A.4), as in yt8m.data.records.quantization.
_SCALE = 4.0 / 255.0
_OFFSET = 4.0 / 512.0 - 2.0


@tf.keras.utils.register_keras_serializable(package="yt8m")
class DequantizeFrames(tf.keras.layers.Layer):
    """Frames of bytes to floats, so that training, evaluation, export and serving cannot disagree.

    Args:
      input_norm: "l2" divides each frame by its norm over all D features (spec A.7); "none".

    Input: uint8 [B, T, D] and `num_frames` int [B]. Output: (floats [B, T, D] with padded frames
    exactly 0, mask bool [B, T] of the true frames).
    """

    def __init__(self, input_norm: str = "l2", **kwargs: Any):
        super().__init__(**kwargs)
        self.input_norm = input_norm

    def build(self, input_shape: Any) -> None:
        """There is nothing to make."""
        self.built = True

    def call(self, frames: tf.Tensor, num_frames: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return (frames, mask)."""
        x = tf.cast(frames, tf.float32) * _SCALE + _OFFSET  # [B, T, D]
        mask = (
            tf.range(tf.shape(frames)[1])[None, :] < tf.cast(num_frames, tf.int32)[:, None]
        )  # [B, T]
        scale = tf.cast(mask, tf.float32)[:, :, None]
        if self.input_norm == "l2":
            scale = scale * tf.math.rsqrt(
                tf.maximum(tf.reduce_sum(tf.square(x), axis=-1, keepdims=True), 1e-12)
            )
        return tf.cast(x * scale, self.compute_dtype), mask

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {**super().get_config(), "input_norm": self.input_norm}


@tf.keras.utils.register_keras_serializable(package="yt8m")
class NormalizeVideo(tf.keras.layers.Layer):
    """A video's means as the model takes them: divided by their L2 norm, or as they are.

    Args:
      input_norm: "l2" or "none".

    Input float32 [B, D]; output [B, D] in the compute dtype.
    """

    def __init__(self, input_norm: str = "l2", **kwargs: Any):
        super().__init__(**kwargs)
        self.input_norm = input_norm

    def build(self, input_shape: Any) -> None:
        """There is nothing to make."""
        self.built = True

    def call(self, video: tf.Tensor) -> tf.Tensor:
        """Return the normalised video [B, D]."""
        x = tf.cast(video, tf.float32)
        if self.input_norm == "l2":
            x = tf.math.l2_normalize(x, axis=-1, epsilon=1e-12)
        return tf.cast(x, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {**super().get_config(), "input_norm": self.input_norm}
