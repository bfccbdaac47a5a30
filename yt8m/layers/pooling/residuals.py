"""Sums of residuals to centres, which AttnVLAD, NetVLAD and NeXtVLAD share."""

from __future__ import annotations

import tensorflow as tf


def summed_residuals(a: tf.Tensor, x: tf.Tensor, centers: tf.Tensor) -> tf.Tensor:
    """Return Σ_i a_ij (x_i − C_j), float32 [B, C, D].

    It is Σ_i a_ij x_i − C_j Σ_i a_ij, so that the residuals [B, T, C, D] need no memory.

    Args:
      a: weights [B, T, C].
      x: frames [B, T, D].
      centers: [C, D].
    """
    of_centers = tf.reduce_sum(a, axis=1)[:, :, None] * tf.cast(centers, a.dtype)
    return tf.cast(tf.einsum("btc,btd->bcd", a, x) - of_centers, tf.float32)


def flat_unit_parts(v: tf.Tensor, whole: bool = True) -> tf.Tensor:
    """Return v [B, C, D] as [B, C · D], with the L2 norm of each centre's part divided out.

    Args:
      v: float32.
      whole: divide by the norm of the whole vector as well.
    """
    v = tf.math.l2_normalize(v, axis=-1, epsilon=1e-12)
    v = tf.reshape(v, [-1, v.shape[1] * v.shape[2]])
    return tf.math.l2_normalize(v, axis=-1, epsilon=1e-12) if whole else v
