"""The product of normalised data and a kernel, which needs no gradient for the data.

A normalisation followed by a dense layer costs a third product in training: the gradient for the
normalised input, which only γ and β need. With γ in the kernel and β in a constant,

    (γ ∘ x̂ + β) W = x̂ (γ ∘ W) + β W,

the normalised data x̂ depend on no weight, and W, γ and β get their gradients from that of γ ∘ W.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.compat import NO_AUTOCAST
from yt8m.layers.normalisation.debiased_batch_norm import DebiasedBatchNorm


@tf.keras.utils.register_keras_serializable(package="yt8m")
class NormalizedDense(tf.keras.layers.Dense):
    """A dense layer without a bias on data that a batch normalisation has normalised.

    Its weight is that of Keras's `Dense`, under the same name.

    Call: (x̂ [..., D], from the normalisation with affine=False; norm, that normalisation;
    signs=±1 [units] or None) -> (y [..., units] in the type of x̂, shift float32 [units]). The
    product of the normalised data and the kernel is signs ∘ y + shift. A normalisation that follows
    takes the shift as its own argument.
    """

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(units, **{**kwargs, "use_bias": False})

    def add_weight(self, *args: Any, **options: Any) -> Any:
        """Return a new weight, which no mixed-precision policy casts before γ multiplies it."""
        return super().add_weight(*args, **{**NO_AUTOCAST, **options})

    def call(
        self, x: tf.Tensor, norm: DebiasedBatchNorm, signs: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return (y, shift)."""
        kernel = tf.cast(self.kernel, tf.float32)
        folded = kernel * tf.cast(norm.gamma, tf.float32)[:, None] if norm.scale else kernel
        folded = tf.cast(folded, x.dtype)
        if signs is not None:
            folded = folded * tf.cast(signs, x.dtype)  # exact, as it changes only signs
        flat = tf.reshape(x, [-1, x.shape[-1]])  # one flat product is the fastest on a CPU
        y = tf.reshape(tf.matmul(flat, folded), tf.concat([tf.shape(x)[:-1], [self.units]], 0))
        y = tf.ensure_shape(y, [*x.shape[:-1], self.units])
        return y, tf.matmul(tf.cast(norm.beta, tf.float32)[None], kernel)[0]
