"""A video's frames in another order: what remains of a recurrent model when time is taken away."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

MODES = ("none", "train", "always")


@tf.keras.utils.register_keras_serializable(package="yt8m")
class RandomOrder(tf.keras.layers.Layer):
    """Permutes each video's true frames, and leaves the padding last.

    Source: UTS §3.2, "random order" (spec C.10, trap E-19).

    Args:
      mode: "none"; "train", another permutation for each video and step, in training alone; "always",
        in inference too, by one fixed permutation for each number of frames, so that a prediction
        depends neither on chance nor on the batch.

    Input [B, T, …] of any type with `num_frames` int [B]; output of the same shape.
    """

    def __init__(self, mode: str = "train", **kwargs: Any):
        super().__init__(**kwargs)
        if mode not in MODES:
            raise ValueError(f"random_order is one of {', '.join(MODES)}, not {mode!r}")
        self.mode = mode

    def build(self, input_shape: Any) -> None:
        """There is nothing to make."""
        self.built = True

    def call(
        self, frames: tf.Tensor, num_frames: tf.Tensor, training: bool | None = None
    ) -> tf.Tensor:
        """Return the frames in their new order."""
        if self.mode == "none" or (self.mode == "train" and not training):
            return frames
        count, time = tf.shape(frames)[0], tf.shape(frames)[1]
        step = tf.range(time)
        if training:
            key = tf.random.uniform([count, time])  # in [0, 1)
        else:  # golden-ratio steps through [0, 1): scattered, and the same however long the padding is
            key = tf.broadcast_to(
                tf.math.floormod(tf.cast(step + 1, tf.float32) * 0.6180339887, 1.0), [count, time]
            )
        padded = step[None, :] >= tf.cast(num_frames, tf.int32)[:, None]  # [B, T]
        order = tf.argsort(tf.where(padded, 2.0, key), axis=1, stable=True)
        return tf.gather(frames, order, axis=1, batch_dims=1)

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {**super().get_config(), "mode": self.mode}
