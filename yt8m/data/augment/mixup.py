"""Mixup: each video becomes a weighted mean of itself and another one of its batch."""

from __future__ import annotations

import tensorflow as tf


def shares(alpha: float, count: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Return float32 [count] in [0.5, 1], max(λ, 1 − λ) for λ ~ Beta(α, α).

    λ and 1 − λ are equally likely, so that it makes no difference which of two videos is called the
    first. The larger share keeps a video's own labels the right ones for the metrics.
    """
    parts = tf.random.stateless_gamma([2, count], key, alpha)
    # A small α gives two zeros now and then; such a video is not mixed.
    most = tf.reduce_max(parts, axis=0)
    return tf.where(most > 0.0, tf.math.divide_no_nan(most, tf.reduce_sum(parts, axis=0)), 1.0)


def partners(count: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Return int32 [count], the place of each video's partner: the next one in a random order."""
    order = tf.argsort(tf.random.stateless_uniform([count], key))
    return tf.scatter_nd(order[:, None], tf.roll(order, -1, axis=0), [count])


def mix(batch: dict[str, tf.Tensor], alpha: float, key: tf.Tensor) -> dict[str, tf.Tensor]:
    """Return the batch with mixed videos and "targets" float32 [B, K], mixed alike.

    Source: docs/sources.md#mixup. Means are mixed as they are, before they are normalised. Bytes
    of frames are mixed and rounded, which differs from a mixture of the dequantised frames by half
    a step of the quantisation at most. A video keeps its number of frames; a shorter partner is
    repeated from its beginning.

    Args:
      batch: has "labels" [B, K] and "video" [B, D] or "frames" [B, T, D] with "num_frames";
        "targets" and "teacher" [B, K] are mixed if there are any. Where a teacher says nothing
        about one of the two, it says nothing about the mixture.
      alpha: α, above 0.
      key: int64 [2], determines the mixture.
    """
    count = tf.shape(batch["labels"])[0]
    fold = tf.random.experimental.stateless_fold_in
    share, other = shares(alpha, count, fold(key, 1)), partners(count, fold(key, 2))

    def mean(own: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
        own = tf.cast(own, tf.float32)
        weight = tf.reshape(share, [-1] + [1] * (own.shape.rank - 1))
        return weight * own + (1.0 - weight) * tf.cast(others, tf.float32)

    def mixed(name: str) -> tf.Tensor:
        return mean(batch[name], tf.gather(batch[name], other))

    out = {**batch, "targets": mixed("targets" if "targets" in batch else "labels")}
    if "video" in batch:
        out["video"] = mixed("video")
    if "frames" in batch:
        frames = batch["frames"]
        means = mean(frames, _frames_of(batch, other))
        means = means if frames.dtype.is_floating else tf.round(means)
        out["frames"] = tf.cast(means, frames.dtype)
    if "teacher" in batch:
        q = batch["teacher"]
        known = (q >= 0.0) & (tf.gather(q, other) >= 0.0)
        out["teacher"] = tf.where(known, mixed("teacher"), -tf.ones_like(q))
    return out


def _frames_of(batch: dict[str, tf.Tensor], other: tf.Tensor) -> tf.Tensor:
    """Return the partners' frames [B, T, D], zero where a video itself is padded.

    A partner without frames is replaced by the video itself.
    """
    frames, lengths = batch["frames"], batch["num_frames"]
    theirs = tf.gather(lengths, other)
    empty = theirs < 1
    source = tf.where(empty, tf.range(tf.shape(other)[0]), other)
    steps = tf.range(tf.shape(frames)[1])[None, :]
    repeated = steps % tf.maximum(tf.where(empty, lengths, theirs), 1)[:, None]
    places = tf.stack([tf.broadcast_to(source[:, None], tf.shape(repeated)), repeated], axis=-1)
    inside = steps < lengths[:, None]
    return tf.where(inside[:, :, None], tf.gather_nd(frames, places), tf.zeros_like(frames))
