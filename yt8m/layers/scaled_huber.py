"""The error of a reconstructed number: quadratic for small differences, linear for large ones."""

from __future__ import annotations

import tensorflow as tf


def scaled_huber(difference: tf.Tensor, sigma: float = 2.0) -> tf.Tensor:
    """Return σ²d²/2 where |d| < 1/σ², and |d| − 1/(2σ²) elsewhere.

    Source: the code of UTS (docs/sources.md#scaled-huber-error).

    Args:
      difference: d, prediction minus target, of any shape.
      sigma: σ; with UTS' 2 the error is 2d² below 0.25, and |d| − 0.125 above.
    """
    scale = sigma * sigma
    size = tf.abs(difference)
    return tf.where(size < 1.0 / scale, 0.5 * scale * tf.square(difference), size - 0.5 / scale)
