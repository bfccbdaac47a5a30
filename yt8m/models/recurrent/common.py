"""Functions that the recurrent models share."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.models.core.recipe import Recipe

RECURRENT_RECIPE = Recipe(
    base_learning_rate=0.001,
    batch_size=128,
    num_epochs=5,
    clip_gradient_norm=0.0,
    global_clip_norm=5.0,
    weight_average=0.999,
)
# After L2 normalization, a state sees 1152 inputs of about 0.03 each: with the raw features, of
# about 0.4, the same steps reach a higher GAP (docs/training.md).
RECURRENT_ARGUMENTS: dict[str, Any] = {"input_norm": "none"}


def never_empty(mask: tf.Tensor) -> tf.Tensor:
    """Return the mask [B, T] with the first frame of every video true.

    A video without frames is then read as one frame of zeros. cuDNN refuses a mask with an empty
    row.
    """
    return tf.concat([tf.ones_like(mask[:, :1]), mask[:, 1:]], axis=1)


def padded_to_windows(frames: tf.Tensor, size: int) -> tuple[tf.Tensor, int | tf.Tensor]:
    """Return (frames [B, S · size, D], S): frames [B, T, D] padded with zeros to full windows."""
    total = frames.shape[1] or tf.shape(frames)[1]
    windows = -(-total // size)
    return tf.pad(frames, [[0, 0], [0, windows * size - total], [0, 0]]), windows
