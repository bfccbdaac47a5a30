"""The target sequences of a label decoder, made from the set of a video's labels."""

from __future__ import annotations

from typing import Literal

import tensorflow as tf

LabelOrder = Literal["ascending", "descending"]


def label_sequences(
    labels: tf.Tensor,
    max_labels: int,
    order: LabelOrder = "ascending",
    draw: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return token sequences (labels in vocabulary order and an end token) and their lengths.

    Source: UTS 2.1 (docs/sources.md#label-decoding). The tokens are the classes 0..K−1, K for
    padding, K + 1 for the start and K + 2 for the end.

    Args:
      labels: multi-hot [B, K].
      max_labels: L; a video with more labels contributes a contiguous run of L of them.
      order: "ascending", or "descending" as in the code of UTS.
      draw: numbers in [0, 1) [B] that choose where the run begins; None begins at the first label.

    Returns:
      int32 [B, L + 1], padded after the end token; int32 [B], which counts the end token.
    """
    num_classes = int(labels.shape[-1])
    y = tf.cast(labels, tf.bool)  # [B, K]
    ones = tf.cast(y, tf.int32)
    position = tf.cumsum(ones, axis=-1, exclusive=True)
    count = tf.reduce_sum(ones, axis=-1)  # [B]
    spare = tf.cast(tf.maximum(count - max_labels, 0) + 1, tf.float32)
    begin = tf.cast(tf.floor((0.0 if draw is None else draw) * spare), tf.int32)[:, None]
    inside = y & (position >= begin) & (position < begin + max_labels)
    # The largest keys are the labels of the run, in order; float32 represents them exactly.
    classes = tf.range(num_classes, dtype=tf.float32)
    keys = num_classes - classes if order == "ascending" else classes + 1.0
    most = min(max_labels, num_classes)
    found, _ = tf.math.top_k(tf.where(inside, keys, 0.0), most)
    padding = [[0, 0], [0, max_labels + 1 - most]]
    found = tf.pad(tf.cast(found, tf.int32), padding)  # [B, L + 1]
    tokens = num_classes - found if order == "ascending" else found - 1
    length = tf.minimum(count, max_labels)[:, None]
    step = tf.range(max_labels + 1)[None, :]
    after = tf.where(step == length, num_classes + 2, num_classes)
    return tf.where(step < length, tokens, after), length[:, 0] + 1
