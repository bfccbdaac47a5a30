"""Batch normalisation whose moving statistics are accurate after a few steps.

Keras's own layer starts the moving variance at 1 and forgets this value at the rate of its
momentum. A frame of norm 1 has a variance near 1/1152, so after 200 steps with momentum 0.99 the
moving variance would still be 150 times too large. Here the initial value has no weight: the first
batch replaces it.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.compat import MEAN_OVER_REPLICAS, NO_AUTOCAST
from yt8m.layers.base import Yt8mLayer

Sums = tuple[tf.Tensor, tf.Tensor, tf.Tensor]  # of values [D], of their squares [D], and the count


class DebiasedBatchNorm(Yt8mLayer):
    """γ (x − mean) / √(variance + ε) + β, with moments over all axes but the last.

    Source: Ioffe and Szegedy 2015 (docs/sources.md#batch-normalisation).

    Args:
      momentum: momentum of the moving mean and variance; step t uses min(momentum, t / (t + 10)).
      epsilon: ε; 1e-3 in TF-slim.
      scale: whether there is a γ.

    Call: (float [..., D], mask=bool [...] or None, training) -> [..., D] in the compute dtype. The
    moments leave out the positions where the mask is false, and are those of the whole batch where
    it is spread over replicas. A layer that is not trainable uses the moving ones in training, too.
    Three more arguments serve a product that comes after or before:
      affine: False leaves out γ and β, for `NormalizedDense`; the result is then 0 where the mask
        is false.
      sums: take the moments from these sums instead of x, which is then only a part of what is
        normalised (the maxima over the frames, for instance).
      shift: [D] or None; what is normalised is x + shift. A constant does not change what training
        computes, so that it enters only the moving mean.
    """

    def __init__(
        self, momentum: float = 0.99, epsilon: float = 1e-3, scale: bool = True, **kwargs: Any
    ):
        # Everything is computed in float32, whatever the policy: `call` casts its input itself.
        super().__init__(**{"autocast": False, **kwargs})
        self.momentum, self.epsilon, self.scale = float(momentum), float(epsilon), bool(scale)

    def build(self, input_shape: Any) -> None:
        """Create γ and β [D], and the moving statistics."""
        shape = (int(input_shape[-1]),)
        if self.scale:
            self.gamma = self.new_weight("gamma", shape, "ones", **NO_AUTOCAST)
        self.beta = self.new_weight("beta", shape, "zeros", **NO_AUTOCAST)
        # Every replica assigns the same numbers, as the moments are summed over replicas. In
        # bfloat16 the count of the steps would stop at 256.
        fixed = {
            "trainable": False,
            "dtype": "float32",
            "aggregation": MEAN_OVER_REPLICAS,
            **NO_AUTOCAST,
        }
        self.moving_mean = self.new_weight("moving_mean", shape, "zeros", **fixed)
        self.moving_variance = self.new_weight("moving_variance", shape, "ones", **fixed)
        self.updates_done = self.new_weight("updates_done", (), "zeros", **fixed)
        self.built = True

    def signs(self) -> tf.Tensor | None:
        """Return the signs of γ, ±1 [D], or None where all are positive: without γ or weights."""
        if not (self.scale and self.built):
            return None
        gamma = tf.stop_gradient(tf.cast(self.gamma, tf.float32))
        return tf.where(gamma < 0, -tf.ones_like(gamma), tf.ones_like(gamma))

    def call(
        self,
        x: Any,
        mask: Any | None = None,
        training: Any = None,
        affine: bool = True,
        sums: Sums | None = None,
        shift: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Return x normalised by the batch's moments in training, otherwise by the moving ones."""
        x = tf.cast(x, tf.float32)
        if training and self.trainable:
            mean, variance = _moments(_sums(x, mask) if sums is None else sums)
            self._update(mean if shift is None else mean + shift, variance)
        else:
            mean = tf.cast(self.moving_mean, tf.float32)
            mean = mean if shift is None else mean - shift
            variance = tf.cast(self.moving_variance, tf.float32)
        factor = tf.math.rsqrt(variance + self.epsilon)  # [D]
        if not affine:
            x = scale_and_shift(x, factor, -mean * factor)
            x = x if mask is None else x * tf.cast(mask, tf.float32)[..., None]
            return tf.cast(x, self.compute_dtype)
        if self.scale:
            factor = factor * tf.cast(self.gamma, tf.float32)
        offset = tf.cast(self.beta, tf.float32) - mean * factor
        return tf.cast(scale_and_shift(x, factor, offset), self.compute_dtype)

    def _update(self, mean: tf.Tensor, variance: tf.Tensor) -> None:
        """Move the moving statistics towards those of this batch."""
        done = tf.cast(self.updates_done, tf.float32)
        keep = tf.minimum(self.momentum, done / (done + 10.0))
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(keep * tf.cast(moving, tf.float32) + (1.0 - keep) * tf.stop_gradient(now))
        self.updates_done.assign(done + 1.0)


def _sums(x: tf.Tensor, mask: Any | None) -> Sums:
    """Return the sums over the true positions of x [..., D]."""
    if mask is None:
        return sum_to_last(x), sum_to_last(x * x), tf.cast(tf.size(x) / tf.shape(x)[-1], tf.float32)
    weight = tf.cast(mask, tf.float32)[..., None]
    valid = x * weight
    return sum_to_last(valid), sum_to_last(valid * x), tf.reduce_sum(weight)


def _moments(sums: Sums) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and variance [D] over the positions of all replicas."""
    total, square, count = sums
    context = tf.distribute.get_replica_context()
    if context is not None and context.num_replicas_in_sync > 1:
        width = total.shape[-1]
        local = tf.concat([total, square, count[None]], 0)
        everywhere = context.all_reduce(tf.distribute.ReduceOp.SUM, local)
        total, square, count = everywhere[:width], everywhere[width:-1], everywhere[-1]
    count = tf.maximum(count, 1.0)
    mean = total / count
    return mean, tf.nn.relu(square / count - tf.square(mean))


def sum_to_last(x: tf.Tensor) -> tf.Tensor:
    """Return the sum [D] of x [..., D] over all axes but the last.

    One axis after the other, because TensorFlow on a CPU is slow over two axes at once.
    """
    for axis in reversed(range(x.shape.rank - 1)):
        x = tf.reduce_sum(x, axis)
    return x


def scale_and_shift(x: tf.Tensor, factor: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    """Return x · factor + offset for float32 x [..., D] and vectors [D].

    The gradient is what TensorFlow would derive, with the sums of `sum_to_last`.
    """

    @tf.custom_gradient
    def run(x: tf.Tensor, factor: tf.Tensor, offset: tf.Tensor) -> tuple[tf.Tensor, Any]:
        def gradient(dy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            return dy * factor, sum_to_last(dy * x), sum_to_last(dy)

        return x * factor + offset, gradient

    return run(x, factor, offset)
