"""The maths of a mixture of experts: its value, and its gradient in closed form.

Let share_m be the softmax of the gates, e_m = σ(expert_m) (or expert_m itself), and p = Σ_m share_m
e_m. Then ∂p/∂gate_m = share_m (e_m − p), where e = 0 for the dummy, and ∂p/∂expert_m = share_m e_m
(1 − e_m) (or share_m). This gradient is exact, and saves half of a training step's passes over the
logits.

There are two layouts. With few states it is [B, states, K], classes fastest, with one operation for
each state, because a softmax over three neighbours in memory is slow on a CPU. With many states it
is [B, K, states], where the softmax runs over contiguous memory and a block of classes is a block
of columns.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

STATES_FASTEST_FROM = 16  # mixtures; with fewer, one operation for each state is faster


def by_state(gates: tf.Tensor, experts: tf.Tensor, sigmoid: bool) -> tuple[tf.Tensor, Any]:
    """Return p [B, K], and what `by_state_gradient` needs.

    Args:
      gates: logits [B, k, K], or [B, k + 1, K] with the dummy last.
      experts: [B, k, K].
      sigmoid: whether the experts have a sigmoid; otherwise they are linear.
    """
    logits = tf.unstack(gates, axis=1)  # states × [B, K]
    highest = logits[0]
    for one in logits[1:]:
        highest = tf.maximum(highest, one)
    powers = [tf.exp(one - highest) for one in logits]
    scale = tf.math.reciprocal(tf.add_n(powers))
    share = [power * scale for power in powers]
    value = [tf.sigmoid(e) if sigmoid else e for e in tf.unstack(experts, axis=1)]
    p = tf.add_n([share[m] * value[m] for m in range(len(value))])  # [B, K]
    return p, (share, value, p)


def by_state_gradient(dp: tf.Tensor, kept: Any, sigmoid: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the gradients of gates and experts for the gradient `dp` [B, K] of p."""
    share, value, p = kept
    k = len(value)
    weighted = [dp * g for g in share]
    to_gates = [weighted[m] * ((value[m] - p) if m < k else -p) for m in range(len(share))]
    to_experts = [
        weighted[m] * (value[m] * (1.0 - value[m])) if sigmoid else weighted[m] for m in range(k)
    ]
    return tf.stack(to_gates, axis=1), tf.stack(to_experts, axis=1)


def by_class(gates: tf.Tensor, experts: tf.Tensor, sigmoid: bool) -> tuple[tf.Tensor, Any]:
    """Return p [B, K], and what `by_class_gradient` needs.

    Args:
      gates: logits [B, K, k], or [B, K, k + 1] with the dummy last.
      experts: [B, K, k].
      sigmoid: whether the experts have a sigmoid; otherwise they are linear.
    """
    share = tf.nn.softmax(gates)  # [B, K, states]
    value = tf.sigmoid(experts) if sigmoid else experts
    parts = share[:, :, : experts.shape[2]] * value  # [B, K, k]
    p = tf.reduce_sum(parts, axis=2)
    return p, (share, value, parts, p)


def by_class_gradient(dp: tf.Tensor, kept: Any, sigmoid: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the gradients of gates and experts for the gradient `dp` [B, K] of p."""
    share, value, parts, p = kept
    dummies = share.shape[2] - value.shape[2]
    dp = dp[:, :, None]
    parts = dp * parts
    padded = tf.pad(parts, [[0, 0], [0, 0], [0, dummies]]) if dummies else parts
    to_gates = padded - share * (dp * p[:, :, None])
    to_experts = parts - parts * value if sigmoid else dp * share[:, :, : value.shape[2]]
    return to_gates, to_experts


def mix(gates: tf.Tensor, experts: tf.Tensor, sigmoid: bool) -> tf.Tensor:
    """Return Σ_m softmax(gates)_m · σ(experts_m) [B, K] for logits [B, states, K].

    Its gradient is `by_state_gradient`.
    """

    @tf.custom_gradient
    def run(gates: tf.Tensor, experts: tf.Tensor) -> tuple[tf.Tensor, Any]:
        p, kept = by_state(gates, experts, sigmoid)
        return p, lambda dp: by_state_gradient(dp, kept, sigmoid)

    return run(gates, experts)
