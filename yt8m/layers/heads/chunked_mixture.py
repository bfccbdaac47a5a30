"""A large mixture, computed one chunk of classes at a time, so that [B, K, k] is never in memory.

Two hundred experts over 3862 classes give 1.5 million logits per video, 6 MB: a batch of 512 would
hold 3 GB, and its gradient several times that. As classes share no weights, one chunk of them is
finished before the next begins. The backward pass recomputes the logits of each chunk, which is a
third more work, and keeps one chunk at a time, whatever K is.

`tf.recompute_grad` does not replace the gradient below, because nothing orders its chunks in the
backward pass. A step with B = 1024, D = 256, K = 1024 and k = 100 adds 0.4 GB to the process; with
`recompute_grad` it adds 1.2 GB where the kernels are split, and 7 GB where they are sliced.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.heads.mixture_math import by_class, by_class_gradient

CHUNK_BYTES = 64 << 20  # logits of a chunk; the passes over them take about four times that
USUAL_ROWS = 1024  # B where a graph does not know it


def classes_a_chunk(rows: Any, states: int, classes: int) -> int:
    """Return how many classes fit into `CHUNK_BYTES`.

    Args:
      rows: videos, or None where that is unknown.
      states: float32 logits of each class and video.
      classes: K.
    """
    return max(1, min(classes, CHUNK_BYTES // (4 * (rows or USUAL_ROWS) * states)))


def chunked_mixture(
    x: tf.Tensor, gates: tf.Tensor, experts: tf.Tensor, bias: tf.Tensor, sigmoid: bool
) -> tf.Tensor:
    """Return Σ_m softmax(x · gates)_m · σ(x · experts + bias)_m, float32 [B, K].

    Args:
      x: [B, D], float32 or bfloat16; its type is that of the products.
      gates: float32 [D, K, k], or [D, K, k + 1] with the dummy last.
      experts: float32 [D, K, k].
      bias: float32 [K, k].
      sigmoid: whether the experts have a sigmoid; otherwise they are linear.
    """
    _, classes, states = gates.shape
    chunk = classes_a_chunk(x.shape[0], states + experts.shape[2], classes)
    spans = [slice(start, min(start + chunk, classes)) for start in range(0, classes, chunk)]

    @tf.custom_gradient
    def run(
        x: tf.Tensor, gates: tf.Tensor, experts: tf.Tensor, bias: tf.Tensor
    ) -> tuple[tf.Tensor, Any]:
        def forward(span: slice) -> tuple[tf.Tensor, Any, tf.Tensor, tf.Tensor]:
            gate_kernel, expert_kernel = _flat(gates, span, x), _flat(experts, span, x)
            g = _logits(x, gate_kernel, states)
            e = _logits(x, expert_kernel, experts.shape[2]) + bias[span]
            return (*by_class(g, e, sigmoid), gate_kernel, expert_kernel)

        results: list[tf.Tensor] = []
        last: Any = None
        for span in spans:
            # One chunk follows another; a graph would otherwise begin all of them.
            with tf.control_dependencies(results[-1:]):
                last = forward(span)
            results.append(last[0])
        only = last if len(spans) == 1 else None  # not computed again in the backward pass
        del last

        def gradient(dp: tf.Tensor) -> tuple[tf.Tensor, ...]:
            to_gates: list[tf.Tensor] = []
            to_experts: list[tf.Tensor] = []
            to_bias: list[tf.Tensor] = []
            to_x = tf.zeros([], tf.float32)
            for span in spans:
                with tf.control_dependencies([dp, *to_gates[-1:], *to_experts[-1:]]):
                    # A product of constants would not wait for the chunk before; this copy does.
                    x_now = tf.identity(x)
                    _, kept, gate_kernel, expert_kernel = only or forward(span)
                    dg, de = by_class_gradient(dp[:, span], kept, sigmoid)
                    to_bias.append(tf.reduce_sum(de, axis=0))
                    dg, de = (tf.reshape(d, [-1, d.shape[1] * d.shape[2]]) for d in (dg, de))
                    dg, de = tf.cast(dg, x.dtype), tf.cast(de, x.dtype)
                    to_gates.append(_kernel_gradient(x_now, dg, states))
                    to_experts.append(_kernel_gradient(x_now, de, experts.shape[2]))
                    to_x += tf.cast(tf.matmul(dg, gate_kernel, transpose_b=True), tf.float32)
                    to_x += tf.cast(tf.matmul(de, expert_kernel, transpose_b=True), tf.float32)
            kernels = (tf.concat(to_gates, 1), tf.concat(to_experts, 1))
            return (tf.cast(to_x, x.dtype), *kernels, tf.concat(to_bias, 0))

        return tf.concat(results, axis=1), gradient

    return run(x, gates, experts, bias)


def _flat(kernel: tf.Tensor, span: slice, x: tf.Tensor) -> tf.Tensor:
    """Return the kernel of a chunk of c classes as [D, c · n], in the type of x."""
    return tf.cast(tf.reshape(kernel[:, span], [kernel.shape[0], -1]), x.dtype)


def _logits(x: tf.Tensor, kernel: tf.Tensor, n: int) -> tf.Tensor:
    """Return x · kernel as float32 [B, c, n] for a kernel [D, c · n]."""
    product = tf.cast(tf.matmul(x, kernel), tf.float32)
    return tf.reshape(product, [-1, kernel.shape[1] // n, n])


def _kernel_gradient(x: tf.Tensor, d: tf.Tensor, n: int) -> tf.Tensor:
    """Return the float32 gradient [D, c, n] of a kernel, given that of x · kernel, [B, c · n]."""
    product = tf.cast(tf.matmul(x, d, transpose_a=True), tf.float32)
    return tf.reshape(product, [x.shape[1], d.shape[1] // n, n])
