"""A mixture, its loss and their gradient in one pass over the logits, for training on a CPU.

As separate operations these pass some forty times over tensors of the size of the logits. XLA
makes loops of them, but is slower than TensorFlow at sums and at matrix products. So what it
compiles here is only the part that treats each video and class alone; the rest is outside.

The formulas are those of `mixture_math` and of the loss. All that is added is where the gradient of
a video's loss enters: with x for a kernel, which is far smaller than the gradient of the logits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from yt8m.layers.heads.mixture_math import by_state, by_state_gradient

LARGE = 1 << 20  # logits of a batch; for fewer, compiling takes longer than it saves
_ATTRIBUTE = "_yt8m_mixture"


@dataclasses.dataclass(frozen=True)
class Mixture:
    """What predictions [B, K] were computed from.

    Attributes:
      x: [B, D], float32 or bfloat16.
      gates: [D, k, K], or [D, k + 1, K] with the dummy last, of the type of x.
      experts: [D, k, K], of the type of x.
      bias: float32 [k, K].
      sigmoid: whether the experts have a sigmoid; otherwise they are linear.
    """

    x: tf.Tensor
    gates: tf.Tensor
    experts: tf.Tensor
    bias: tf.Tensor
    sigmoid: bool


def remember(predictions: tf.Tensor, mixture: Mixture) -> tf.Tensor:
    """Return the predictions, from which `loss_and_predictions` will find their mixture."""
    setattr(predictions, _ATTRIBUTE, mixture)
    return predictions


def loss_and_predictions(
    predictions: tf.Tensor,
    loss: Callable[..., tf.Tensor],
    labels: tf.Tensor,
    weights: tf.Tensor | None,
) -> tuple[tf.Tensor, tf.Tensor] | None:
    """Return (loss of each video [B], the same predictions [B, K]) in one pass over the logits.

    A compiled function that uses these two does not compute the given predictions.

    Args:
      predictions: [B, K], as they come out of a layer.
      loss: `(labels, predictions, weights) -> [B]`, a sum of terms of one class each.
      labels: [B, K].
      weights: [B, K], or None.

    Returns:
      Both, of which only the loss has a gradient; or None, if the predictions are not the
      unchanged output of a mixture, or are of a batch that is small or of unknown size.
    """
    mixture: Mixture | None = getattr(predictions, _ATTRIBUTE, None)
    if mixture is None or mixture.x.shape[0] is None:
        return None
    states = mixture.gates.shape[1] + mixture.experts.shape[1]
    if mixture.x.shape[0] * states * mixture.gates.shape[2] < LARGE:
        return None
    each, same = _fused(mixture, loss, labels, weights)
    return each, tf.stop_gradient(same)


def _fused(
    mixture: Mixture, loss: Callable[..., tf.Tensor], labels: tf.Tensor, weights: tf.Tensor | None
) -> tuple[tf.Tensor, tf.Tensor]:
    sigmoid = mixture.sigmoid

    def terms(p: tf.Tensor) -> tf.Tensor:
        """Return the loss of each video and class [B, K], as if it were a video of one class."""
        columns = (None if t is None else tf.reshape(t, [-1, 1]) for t in (labels, p, weights))
        return tf.reshape(loss(*columns), tf.shape(p))

    @tf.function(jit_compile=True)
    def at_logits(gates: tf.Tensor, experts: tf.Tensor, bias: tf.Tensor) -> tuple[Any, ...]:
        """Return p, the terms of the loss [B, K], and the gradients of their sum."""
        p, kept = by_state(tf.cast(gates, tf.float32), tf.cast(experts, tf.float32) + bias, sigmoid)
        with tf.GradientTape() as tape:
            tape.watch(p)
            each = terms(p)
        to_gates, to_experts = by_state_gradient(tape.gradient(each, p), kept, sigmoid)
        return p, each, tf.cast(to_gates, gates.dtype), tf.cast(to_experts, experts.dtype)

    @tf.custom_gradient
    def run(x: tf.Tensor, gates: tf.Tensor, experts: tf.Tensor, bias: tf.Tensor) -> tuple[Any, Any]:
        p, each, to_g, to_e = at_logits(_product(x, gates), _product(x, experts), bias)

        def gradient(d_loss: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, ...]:
            """Return the gradients of all four for that of each video's loss [B]."""
            scaled = tf.cast(tf.cast(x, tf.float32) * d_loss[:, None], x.dtype)
            flat = tf.cast(d_loss[None, :], x.dtype)
            to_bias = tf.reshape(tf.matmul(flat, _flat(to_e)), bias.shape)
            to_x = tf.einsum("bsk,dsk->bd", to_g, gates) + tf.einsum("bsk,dsk->bd", to_e, experts)
            return (
                tf.cast(tf.cast(to_x, tf.float32) * d_loss[:, None], x.dtype),
                tf.reshape(tf.matmul(scaled, _flat(to_g), transpose_a=True), gates.shape),
                tf.reshape(tf.matmul(scaled, _flat(to_e), transpose_a=True), experts.shape),
                tf.cast(to_bias, bias.dtype),
            )

        return (tf.reduce_sum(each, axis=1), p), gradient

    return run(mixture.x, mixture.gates, mixture.experts, mixture.bias)


def _flat(tensor: tf.Tensor) -> tf.Tensor:
    """Return [N, s, K] as [N, s · K]."""
    return tf.reshape(tensor, [-1, tensor.shape[1] * tensor.shape[2]])


def _product(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Return x · kernel [B, s, K], as a plain product, which on a CPU is faster than an einsum."""
    return tf.reshape(tf.matmul(x, _flat(kernel)), [-1, kernel.shape[1], kernel.shape[2]])
