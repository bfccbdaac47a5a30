"""Many frames to one vector: average, max, L2 and SWAP, over the true frames alone."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

POOLINGS = ("average", "max", "l2", "swap")
SWAP_WEIGHTS = ("elementwise", "l1", "l2")


@tf.keras.utils.register_keras_serializable(package="yt8m")
class FramePooling(tf.keras.layers.Layer):
    """Pools frames over time.

    Args:
      method: "average", "max", "l2" (root of the mean square) or "swap" (self-weighted average,
        KDD eq. 1: v_d = Σ_j |x_jd|·x_jd / Σ_j |x_jd|; a denominator of 0 gives 0).
      swap_weight: "elementwise" (what the paper means, spec D.3), or for ablation one weight a
        frame, its "l1" or "l2" norm.

    Input [B, T, D] with `mask` bool [B, T] (None: all are true); output [B, D]. A video without frames gives 0.
    """

    def __init__(self, method: str = "average", swap_weight: str = "elementwise", **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True  # given by keyword; without this Keras 3 warns that it is lost
        if method not in POOLINGS or swap_weight not in SWAP_WEIGHTS:
            raise ValueError(
                f"method is one of {POOLINGS} and swap_weight one of {SWAP_WEIGHTS}, not {method!r}, {swap_weight!r}"
            )
        self.method, self.swap_weight = method, swap_weight

    def build(self, input_shape: Any) -> None:
        """There is nothing to make."""
        self.built = True

    def call(self, x: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Return the pooled frames [B, D]."""
        if mask is None:
            mask = tf.ones(tf.shape(x)[:2], tf.bool)
        weight = tf.cast(mask, x.dtype)[:, :, None]  # [B, T, 1]
        if self.method == "max":
            highest = tf.reduce_max(tf.where(mask[:, :, None], x, x.dtype.min), axis=1)
            return tf.where(tf.reduce_any(mask, axis=1)[:, None], highest, tf.zeros_like(highest))
        if self.method == "swap":
            size = tf.abs(x)
            if self.swap_weight == "l1":
                size = tf.reduce_sum(size, axis=-1, keepdims=True)
            elif self.swap_weight == "l2":
                square = tf.reduce_sum(tf.square(x), axis=-1, keepdims=True)
                size = tf.sqrt(
                    tf.maximum(square, 1e-12)
                )  # the root has no gradient at 0, a frame of zeros
            weight = weight * size
            return tf.math.divide_no_nan(
                tf.reduce_sum(weight * x, axis=1), tf.reduce_sum(weight, axis=1)
            )
        if self.method == "l2":
            square = tf.math.divide_no_nan(
                tf.reduce_sum(weight * tf.square(x), axis=1), tf.reduce_sum(weight, axis=1)
            )
            return tf.sqrt(tf.maximum(square, 1e-12))
        return tf.math.divide_no_nan(
            tf.reduce_sum(weight * x, axis=1), tf.reduce_sum(weight, axis=1)
        )

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """No mask goes on with the output: each layer is given its own."""

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {**super().get_config(), "method": self.method, "swap_weight": self.swap_weight}
