"""Frame dropping: a model never sees all frames of a video at once."""

from __future__ import annotations

import tensorflow as tf


def drop_frames(
    batch: dict[str, tf.Tensor], probability: float, key: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Return the batch without some of its frames; the others keep their order.

    Each frame is left out with a probability of its own draw. Where that leaves none of a video,
    the frame that came closest to staying stays.

    Args:
      batch: has "frames" [B, T, D] and "num_frames" int32 [B].
      probability: from 0 to below 1.
      key: int64 [2], determines which frames.
    """
    frames, lengths = batch["frames"], batch["num_frames"]
    count, longest = tf.shape(frames)[0], tf.shape(frames)[1]
    steps = tf.range(longest)[None, :]
    exists = steps < lengths[:, None]
    draws = tf.random.stateless_uniform([count, longest], key)
    draws = tf.where(exists, draws, -1.0)
    best = tf.reduce_max(draws, axis=1, keepdims=True)
    stays = exists & ((draws >= probability) | (draws == best))
    # A stable order by "leaves" moves those that stay to the front.
    order = tf.argsort(tf.cast(~stays, tf.int32), axis=1, stable=True)
    left = tf.reduce_sum(tf.cast(stays, lengths.dtype), axis=1)
    moved = tf.gather(frames, order, batch_dims=1)
    inside = (steps < left[:, None])[:, :, None]
    kept = tf.where(inside, moved, tf.zeros_like(moved))
    kept.set_shape(frames.shape)
    return {**batch, "frames": kept, "num_frames": left}
