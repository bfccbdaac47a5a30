"""A large mixture computed a chunk of classes at a time, so that [B, K, k] never exists.

Two hundred experts over 3862 classes are 1.5 million logits a video, 6 MB: a batch of 512 would
hold 3 GB, and a gradient several times that. Classes share nothing, so a chunk of them is computed
to its end before the next begins. The backward pass computes each chunk's logits again (a third more
work) and holds one chunk, whatever K is.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.heads.mixture_math import by_class, by_class_gradient

CHUNK_BYTES = 64 << 20  # of a chunk's logits; the passes over them hold about four times that
USUAL_ROWS = 1024  # B where a graph leaves it open


def classes_a_chunk(rows: Any, states: int, classes: int) -> int:
    """Return how many classes' logits, `states` float32 each for each of `rows` videos, fit into `CHUNK_BYTES`."""
    return max(1, min(classes, CHUNK_BYTES // (4 * (rows or USUAL_ROWS) * states)))


def chunked_mixture(
    x: tf.Tensor, gates: tf.Tensor, experts: tf.Tensor, bias: tf.Tensor, sigmoid: bool
) -> tf.Tensor:
    """Return Σ_m softmax(x · gates)_m · σ(x · experts + bias)_m, float32 [B, K].

    Args:
      x: [B, D], float32 or bfloat16, which is the type of the products.
      gates: float32 [D, K, k], or [D, K, k + 1] with the dummy last.
      experts: float32 [D, K, k].
      bias: float32 [K, k].
      sigmoid: else the experts are linear.
    """
    width, classes, states = gates.shape
    k = experts.shape[2]
    chunk = classes_a_chunk(x.shape[0], states + k, classes)
    spans = [(start, min(start + chunk, classes)) for start in range(0, classes, chunk)]

    def flat(kernel: tf.Tensor, span: tuple[int, int]) -> tf.Tensor:
        part = kernel[:, span[0] : span[1]]
        return tf.cast(tf.reshape(part, [width, -1]), x.dtype)  # [D, c · states]

    def logits(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.matmul(x, kernel), tf.float32)

    @tf.custom_gradient
    def run(
        x: tf.Tensor, gates: tf.Tensor, experts: tf.Tensor, bias: tf.Tensor
    ) -> tuple[tf.Tensor, Any]:
        def forward(span: tuple[int, int]) -> tuple:
            of_gates, of_experts = flat(gates, span), flat(experts, span)
            g = tf.reshape(logits(x, of_gates), [-1, span[1] - span[0], states])
            e = (
                tf.reshape(logits(x, of_experts), [-1, span[1] - span[0], k])
                + bias[span[0] : span[1]]
            )
            return (*by_class(g, e, sigmoid), of_gates, of_experts)

        results: list[tf.Tensor] = []
        whole: Any = None
        for span in spans:
            with tf.control_dependencies(
                results[-1:]
            ):  # one chunk at a time, or a graph would begin them all
                whole = forward(span)
            results.append(whole[0])
        kept_whole = whole if len(spans) == 1 else None
        del whole

        def gradient(dp: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
            to_gates, to_experts, to_bias, to_x = [], [], [], tf.zeros([], tf.float32)
            for span in spans:
                with tf.control_dependencies([dp, *to_gates[-1:], *to_experts[-1:]]):
                    x_now = tf.identity(
                        x
                    )  # hangs the chunk on the one before: products of constants would not wait
                    _, kept, of_gates, of_experts = kept_whole or forward(span)
                    dg, de = by_class_gradient(dp[:, span[0] : span[1]], kept, sigmoid)
                    to_bias.append(tf.reduce_sum(de, axis=0))
                    dg = tf.cast(tf.reshape(dg, [-1, of_gates.shape[1]]), x.dtype)
                    de = tf.cast(tf.reshape(de, [-1, of_experts.shape[1]]), x.dtype)
                    for d, into, shape in ((dg, to_gates, states), (de, to_experts, k)):
                        kernel = tf.cast(tf.matmul(x_now, d, transpose_a=True), tf.float32)
                        into.append(tf.reshape(kernel, [width, span[1] - span[0], shape]))
                    to_x += tf.cast(tf.matmul(dg, of_gates, transpose_b=True), tf.float32)
                    to_x += tf.cast(tf.matmul(de, of_experts, transpose_b=True), tf.float32)
            whole_kernels = (
                tf.concat(to_gates, 1),
                tf.concat(to_experts, 1),
                tf.concat(to_bias, 0),
            )
            return (tf.cast(to_x, x.dtype), *whole_kernels)

        return tf.concat(results, axis=1), gradient

    return run(x, gates, experts, bias)
