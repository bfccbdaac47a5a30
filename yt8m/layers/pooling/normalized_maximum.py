"""The maximum over the frames of a batch normalisation, without normalising every frame.

A batch normalisation is increasing in its input where γ ≥ 0, so that the maximum of the normalised
values is the normalised maximum. With the signs of γ in the kernel before (`NormalizedDense`), this
holds for every unit. Of the wide values [B, T, D], only the sums, the maximum and their gradient
are then computed, and all else is [B, D].
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.normalisation.debiased_batch_norm import DebiasedBatchNorm


def maximum(x: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Return the maximum [B, D] over the true frames of x [B, T, D]; 0 for a video without any."""
    highest = tf.reduce_max(tf.where(mask[:, :, None], x, x.dtype.min), axis=1)
    return tf.where(tf.reduce_any(mask, axis=1)[:, None], highest, tf.zeros_like(highest))


def sums_and_maximum(x: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return Σx and Σx² (float32 [D]) and the `maximum` of x [B, T, D].

    x is zero where the mask is false. There its gradient has no meaning: whatever x was computed
    from must be zero as well, as in a product with a kernel. Frames that share the maximum share
    its gradient equally, as with `tf.reduce_max`.
    """

    @tf.custom_gradient
    def run(x: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor, tf.Tensor], Any]:
        # One axis after the other, because TensorFlow on a CPU is slow over two axes at once.
        sums = [tf.cast(tf.reduce_sum(v, axis=1), tf.float32) for v in (x, tf.square(x))]
        total, square = (tf.reduce_sum(v, axis=0) for v in sums)  # [D]
        highest = maximum(x, mask)

        def gradient(d_total: tf.Tensor, d_square: tf.Tensor, d_highest: tf.Tensor) -> tf.Tensor:
            is_highest = tf.cast(tf.equal(x, highest[:, None]), x.dtype)
            sharing = tf.reduce_sum(is_highest, axis=1)  # [B, D]
            padding = tf.reduce_sum(tf.cast(~mask, x.dtype), axis=1)[:, None]
            sharing -= tf.where(tf.equal(highest, 0), padding, tf.zeros_like(padding))
            share = d_highest / tf.maximum(sharing, 1)
            linear = x * tf.cast(2.0 * d_square, x.dtype) + tf.cast(d_total, x.dtype)
            return is_highest * share[:, None] + linear

        return (total, square, highest), gradient

    return run(x)


def normalized_maximum(
    x: tf.Tensor,
    mask: tf.Tensor,
    norm: DebiasedBatchNorm,
    training: Any = None,
    signs: tf.Tensor | None = None,
    shift: tf.Tensor | None = None,
) -> tf.Tensor:
    """Return the maximum over the frames of norm(signs ∘ x + shift), [B, D].

    Args:
      x: [B, T, D], zero where the mask is false; see `sums_and_maximum`.
      mask: bool [B, T].
      norm: the normalisation, whose moments are those of all true frames.
      training: as in `DebiasedBatchNorm`.
      signs: `norm.signs()`.
      shift: [D] or None.
    """
    sums = None
    if training:
        total, square, highest = sums_and_maximum(x, mask)
        total = total if signs is None else signs * total
        sums = (total, square, tf.reduce_sum(tf.cast(mask, tf.float32)))
    else:
        highest = maximum(x, mask)
    if signs is not None:
        highest = tf.cast(signs, highest.dtype) * highest
    return norm(highest, training=training, sums=sums, shift=shift)
