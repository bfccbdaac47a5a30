"""Label lists as multi-hot rows; indices beyond the classes are refused or dropped."""

from __future__ import annotations

from typing import Literal

import tensorflow as tf

from yt8m.data.files.bad_records import LABEL_MARK

# What to do with a label index beyond the K classes: raise an error that `BadRecords.explained`
# understands, or drop the label.
Beyond = Literal["raise", "drop"]


def only_inside(
    labels: tf.Tensor, num_classes: int, beyond: Beyond, *others: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """Return int64 `labels` [N] in 0..K-1, and the entries of `others` [N] that belong to them.

    Args:
      labels: class indices.
      num_classes: K.
      beyond: "raise" or "drop".
      *others: tensors parallel to `labels`.
    """
    inside = (labels >= 0) & (labels < num_classes)
    if beyond == "drop":
        return tuple(tf.boolean_mask(x, inside) for x in (labels, *others))
    outside = tf.boolean_mask(labels, ~inside)[:1]
    check = tf.debugging.Assert(tf.reduce_all(inside), [LABEL_MARK, outside])
    with tf.control_dependencies([check]):
        return (tf.identity(labels), *others)


def multi_hot(
    rows: tf.Tensor, labels: tf.Tensor, num_rows: tf.Tensor, num_classes: int, beyond: Beyond
) -> tf.Tensor:
    """Return uint8 [num_rows, K] with ones at (rows[i], labels[i]); duplicates are harmless.

    Args:
      rows: int64 [N].
      labels: int64 [N].
      num_rows: scalar.
      num_classes: K.
      beyond: "raise" or "drop", see `only_inside`.
    """
    labels, rows = only_inside(labels, num_classes, beyond, rows)
    shape = tf.stack([tf.cast(num_rows, tf.int64), tf.constant(num_classes, tf.int64)])
    empty = tf.zeros(shape, tf.uint8)
    places = tf.stack([rows, labels], 1)
    return tf.tensor_scatter_nd_update(empty, places, tf.ones_like(labels, tf.uint8))
