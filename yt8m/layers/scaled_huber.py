"""The error of a reconstructed number: squared while it is small, linear beyond."""

from __future__ import annotations

import tensorflow as tf


def scaled_huber(difference: tf.Tensor, sigma: float = 2.0) -> tf.Tensor:
    """Return σ²d²/2 where |d| < 1/σ², else |d| − 1/(2σ²), of each number (UTS code; spec C.7).

    Args:
      difference: prediction minus target, any shape.
      sigma: 2 in UTS' code: 2d² below 0.25, and |d| − 0.125 above.
    """
    scale = sigma * sigma
    size = tf.abs(difference)
    return tf.where(size < 1.0 / scale, 0.5 * scale * tf.square(difference), size - 0.5 / scale)
