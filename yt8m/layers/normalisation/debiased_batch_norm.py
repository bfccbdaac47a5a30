"""Batch normalisation whose moving statistics are right after a few steps, whatever the features' variance.

Keras's own starts the moving variance at 1 and forgets that at the pace of its momentum. A frame of norm 1
has a variance near 1/1152, so with momentum 0.99 a run of 200 steps would still be evaluated with a variance
150 times too large. Here the start has no weight: the first batch replaces it.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.compat import MEAN_OVER_REPLICAS


@tf.keras.utils.register_keras_serializable(package="yt8m")
class DebiasedBatchNorm(tf.keras.layers.Layer):
    """γ (x − mean) / √(variance + ε) + β, the moments over all axes but the last (Ioffe and Szegedy 2015).

    Args:
      momentum: of the moving mean and variance in the long run; step t uses min(momentum, t / (t + 10)).
        TF-slim's 0.999 needs thousands of steps, 0.99 is as good on long runs and right on short ones.
      epsilon: TF-slim's 1e-3.
      scale: whether there is a γ.

    Call: (float [..., D], mask=bool [...] or None, training) -> [..., D] in the compute dtype. Moments leave
    out the places where the mask is false, and are those of the whole batch when it is spread over replicas.
    """

    def __init__(
        self, momentum: float = 0.99, epsilon: float = 1e-3, scale: bool = True, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.supports_masking = True  # given by keyword; without this Keras 3 warns that it is lost
        self.momentum, self.epsilon, self.scale = float(momentum), float(epsilon), bool(scale)

    def build(self, input_shape: Any) -> None:
        """Make γ and β [D], and the moving statistics."""
        shape = (int(input_shape[-1]),)
        if self.scale:
            self.gamma = self.add_weight(
                name="gamma", shape=shape, initializer="ones", trainable=True
            )
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros", trainable=True)
        # Every replica assigns the same sums.
        fixed = {"trainable": False, "dtype": "float32", "aggregation": MEAN_OVER_REPLICAS}
        self.moving_mean = self.add_weight(
            name="moving_mean", shape=shape, initializer="zeros", **fixed
        )
        self.moving_variance = self.add_weight(
            name="moving_variance", shape=shape, initializer="ones", **fixed
        )
        self.updates_done = self.add_weight(
            name="updates_done", shape=(), initializer="zeros", **fixed
        )
        self.built = True

    def call(self, x: Any, mask: Any | None = None, training: Any = None) -> tf.Tensor:
        """Return x normalised by the batch's moments in training, by the moving ones otherwise."""
        x = tf.cast(x, tf.float32)
        if training:
            mean, variance = self._moments(x, mask)
            self._update(mean, variance)
        else:
            mean, variance = (
                tf.cast(v, tf.float32) for v in (self.moving_mean, self.moving_variance)
            )
        factor = tf.math.rsqrt(variance + self.epsilon)  # [D]
        if self.scale:
            factor = factor * tf.cast(self.gamma, tf.float32)
        return tf.cast(
            x * factor + (tf.cast(self.beta, tf.float32) - mean * factor), self.compute_dtype
        )

    def _moments(self, x: tf.Tensor, mask: Any | None) -> tuple[tf.Tensor, tf.Tensor]:
        axes = list(range(x.shape.rank - 1))
        if mask is None:
            count = tf.cast(tf.size(x) / tf.shape(x)[-1], tf.float32)
            valid = x
        else:
            weight = tf.cast(mask, tf.float32)[..., None]
            count, valid = tf.reduce_sum(weight), x * weight
        total = tf.reduce_sum(valid, axes)  # [D]
        square = tf.reduce_sum(valid * x, axes)
        context = tf.distribute.get_replica_context()
        if context is not None and context.num_replicas_in_sync > 1:
            sums = context.all_reduce(
                tf.distribute.ReduceOp.SUM, tf.concat([total, square, count[None]], 0)
            )
            total, square, count = sums[: x.shape[-1]], sums[x.shape[-1] : -1], sums[-1]
        count = tf.maximum(count, 1.0)
        mean = total / count
        return mean, tf.nn.relu(square / count - tf.square(mean))

    def _update(self, mean: tf.Tensor, variance: tf.Tensor) -> None:
        done = tf.cast(self.updates_done, tf.float32)
        keep = tf.minimum(self.momentum, done / (done + 10.0))
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(keep * tf.cast(moving, tf.float32) + (1.0 - keep) * tf.stop_gradient(now))
        self.updates_done.assign(done + 1.0)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """No mask goes on with the output: each layer is given its own."""

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "scale": self.scale,
        }
