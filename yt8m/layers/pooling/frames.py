"""Pooling of a video's true frames into one vector: average, maximum, L2 and SWAP."""

from __future__ import annotations

from typing import Any, Literal

import tensorflow as tf

from yt8m.errors import one_of
from yt8m.layers.base import Yt8mLayer
from yt8m.layers.masks import mask_or_all
from yt8m.layers.pooling.normalized_maximum import maximum

PoolingMethod = Literal["average", "max", "l2", "swap"]
SwapWeight = Literal["elementwise", "l1", "l2"]


class FramePooling(Yt8mLayer):
    """Pooling over time without weights of its own.

    Args:
      method: "average"; "max"; "l2", the root of the mean square; or "swap", the self-weighted
        average v_d = Σ_j |x_jd|·x_jd / Σ_j |x_jd| (KDD eq. 1; docs/sources.md#swap), which is 0
        where the denominator is 0.
      swap_weight: weight of a frame in "swap": "elementwise" is the paper's |x_jd|; "l1" and "l2",
        for ablations, give one weight per frame, its norm.

    Call: (x [B, T, D], mask=bool [B, T] or None) -> [B, D]. A video without frames gives 0.
    """

    def __init__(
        self,
        method: PoolingMethod = "average",
        swap_weight: SwapWeight = "elementwise",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.method = one_of("method", method, PoolingMethod)
        self.swap_weight = one_of("swap_weight", swap_weight, SwapWeight)

    def call(self, x: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Return the pooled frames [B, D]."""
        mask = mask_or_all(mask, x)
        if self.method == "max":
            return maximum(x, mask)
        weight = tf.cast(mask, x.dtype)[:, :, None]  # [B, T, 1]
        if self.method == "swap":
            return _weighted_mean(x, weight * self._size(x))
        if self.method == "l2":
            return _root(_weighted_mean(tf.square(x), weight))
        return _weighted_mean(x, weight)

    def _size(self, x: tf.Tensor) -> tf.Tensor:
        """Return the magnitudes that SWAP uses as weights: [B, T, D], or [B, T, 1] for a norm."""
        if self.swap_weight == "l1":
            return tf.reduce_sum(tf.abs(x), axis=-1, keepdims=True)
        if self.swap_weight == "l2":
            return _root(tf.reduce_sum(tf.square(x), axis=-1, keepdims=True))
        return tf.abs(x)


def _weighted_mean(x: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Return the mean over T, 0 where all weights are 0."""
    total = tf.reduce_sum(weight * x, axis=1)
    return tf.math.divide_no_nan(total, tf.reduce_sum(weight, axis=1))


def _root(square: tf.Tensor) -> tf.Tensor:
    """Return the square root with a gradient of 0 at 0, which a frame of zeros needs."""
    return tf.sqrt(tf.maximum(square, 1e-12))
