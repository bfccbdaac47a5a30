"""From a video's set of labels to the sequence that a decoder learns to say."""

from __future__ import annotations

import tensorflow as tf

ORDERS = ("ascending", "descending")


def label_sequences(
    labels: tf.Tensor, max_labels: int, order: str = "ascending", draw: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return (token sequences, their lengths): a video's labels in vocabulary order, then the end token.

    Source: UTS 2.1 (spec C.15). Tokens are the classes 0..K−1, K pads, K + 1 starts, K + 2 ends.

    Args:
      labels: multi-hot [B, K].
      max_labels: L; of a video with more labels a contiguous run of L is taken.
      order: "ascending", or "descending" as in the UTS code.
      draw: uniform in [0, 1) [B], decides where the run begins; None begins at the first.

    Returns:
      int32 [B, L + 1], padded behind the end token; int32 [B], the end token counted.
    """
    num_classes = int(labels.shape[-1])
    y = tf.cast(labels, tf.bool)  # [B, K]
    ones = tf.cast(y, tf.int32)
    position = tf.cumsum(ones, axis=-1, exclusive=True)
    count = tf.reduce_sum(ones, axis=-1)  # [B]
    spare = tf.cast(tf.maximum(count - max_labels, 0) + 1, tf.float32)
    begin = tf.cast(tf.floor((0.0 if draw is None else draw) * spare), tf.int32)[:, None]
    inside = y & (position >= begin) & (position < begin + max_labels)
    # The largest keys are the labels of the run, in order; a float holds them exactly.
    classes = tf.range(num_classes, dtype=tf.float32)
    keys = num_classes - classes if order == "ascending" else classes + 1.0
    found, _ = tf.math.top_k(tf.where(inside, keys, 0.0), min(max_labels, num_classes))
    found = tf.pad(
        tf.cast(found, tf.int32), [[0, 0], [0, max_labels + 1 - min(max_labels, num_classes)]]
    )  # [B, L + 1]
    tokens = num_classes - found if order == "ascending" else found - 1
    length = tf.minimum(count, max_labels)[:, None]
    step = tf.range(max_labels + 1)[None, :]
    sequence = tf.where(
        step < length, tokens, tf.where(step == length, num_classes + 2, num_classes)
    )
    return sequence, length[:, 0] + 1
