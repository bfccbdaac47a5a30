"""Label lists to multi-hot rows, with an index beyond the classes refused or dropped."""

from __future__ import annotations

import tensorflow as tf

from yt8m.data.bad_records import LABEL_MARK


def multi_hot(rows: tf.Tensor, labels: tf.Tensor, num_rows: tf.Tensor, num_classes: int, beyond: str) -> tf.Tensor:
    """Return uint8 [num_rows, K] with ones at (rows[i], labels[i]); duplicates are harmless.

    Args:
      rows, labels: int64 [N].
      num_rows: scalar.
      num_classes: K.
      beyond: "raise" (an error that `BadRecords.explained` understands) or "drop".
    """
    inside = (labels >= 0) & (labels < num_classes)
    if beyond == "raise":
        worst = tf.reduce_max(tf.where(inside, tf.zeros_like(labels), labels)) if labels.shape != [0] else 0
        check = tf.debugging.Assert(tf.reduce_all(inside), [LABEL_MARK, worst])
        with tf.control_dependencies([check]):
            labels = tf.identity(labels)
    else:
        rows, labels = tf.boolean_mask(rows, inside), tf.boolean_mask(labels, inside)
    shape = tf.stack([tf.cast(num_rows, tf.int64), tf.constant(num_classes, tf.int64)])
    empty = tf.zeros(shape, tf.uint8)
    return tf.tensor_scatter_nd_update(empty, tf.stack([rows, labels], 1), tf.ones_like(labels, tf.uint8))
