"""Scaled dot-product attention of several heads, in which padded frames have no weight."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def attend(
    queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, heads: int, mask: tf.Tensor | None
) -> tf.Tensor:
    """Return softmax(Q Kᵀ / √d) V of each head, side by side: [B, Q, W].

    Source: Vaswani et al. 2017, eq. 1 (docs/sources.md#transformer).

    Args:
      queries: [B, Q, W] with W = heads · d.
      keys: [B, T, W].
      values: [B, T, W].
      heads: number of heads.
      mask: the keys that count, bool [B, T], or None for all.
    """
    q, k, v = (_by_head(x, heads) for x in (queries, keys, values))  # [B, heads, length, d]
    scores = tf.cast(tf.matmul(q, k, transpose_b=True), tf.float32) * int(q.shape[-1]) ** -0.5
    if mask is not None:
        scores = tf.where(mask[:, None, None, :], scores, -1e9)
    weights = tf.cast(tf.nn.softmax(scores), v.dtype)  # [B, heads, Q, T]
    mixed = tf.transpose(tf.matmul(weights, v), [0, 2, 1, 3])  # [B, Q, heads, d]
    return tf.reshape(mixed, [-1, _length(queries), int(queries.shape[-1])])


def _by_head(x: tf.Tensor, heads: int) -> tf.Tensor:
    split = tf.reshape(x, [-1, _length(x), heads, int(x.shape[-1]) // heads])
    return tf.transpose(split, [0, 2, 1, 3])


def _length(x: tf.Tensor) -> Any:
    return tf.shape(x)[1] if x.shape[1] is None else x.shape[1]
