"""The product of frames and a kernel as one matrix product, the fastest form on a CPU."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def flat_product(x: tf.Tensor, kernel: Any, bias: Any = None) -> tf.Tensor:
    """Return x W + b in the type of x.

    Args:
      x: [..., D].
      kernel: [D, units].
      bias: [units], or None.
    """
    flat = tf.reshape(x, [-1, x.shape[-1]])
    y = tf.matmul(flat, tf.cast(kernel, x.dtype))
    if bias is not None:
        y = tf.nn.bias_add(y, tf.cast(bias, x.dtype))
    units = y.shape[-1]
    y = tf.reshape(y, tf.concat([tf.shape(x)[:-1], [units]], 0))
    return tf.ensure_shape(y, [*x.shape[:-1], units])
