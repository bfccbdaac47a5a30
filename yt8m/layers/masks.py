"""Masks over time, bool [B, T]: true for the frames of a video, false for its padding."""

from __future__ import annotations

import tensorflow as tf


def first_positions(length: tf.Tensor | int, counts: tf.Tensor) -> tf.Tensor:
    """Return the mask [B, length] of the first `counts` [B] positions of each row."""
    return tf.range(length)[None, :] < tf.cast(counts, tf.int32)[:, None]


def mask_or_all(mask: tf.Tensor | None, x: tf.Tensor) -> tf.Tensor:
    """Return the mask, or if it is None one that is true everywhere in x [B, T, ...]."""
    return tf.ones(tf.shape(x)[:2], tf.bool) if mask is None else mask


def masked(x: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Return x [B, T, D] with zeros where the mask is false."""
    return tf.where(mask[:, :, None], x, tf.zeros_like(x))


def masked_softmax(scores: tf.Tensor, mask: tf.Tensor | None, axis: int = -1) -> tf.Tensor:
    """Return the float32 softmax over the positions where the mask is true.

    A row without a true position gets equal shares, so that no value becomes NaN.

    Args:
      scores: numbers of any float type, [B, T] or [B, T, N].
      mask: [B, T]; None is true everywhere.
      axis: the axis of T.
    """
    scores = tf.cast(scores, tf.float32)
    if mask is not None:
        mask = mask if scores.shape.rank == 2 else mask[:, :, None]
        scores = tf.where(mask, scores, -1e9)
    return tf.nn.softmax(scores, axis=axis)
