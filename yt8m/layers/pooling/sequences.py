"""Pooling of a recurrent layer's outputs into one vector."""

from __future__ import annotations

from typing import Literal

import tensorflow as tf

from yt8m.errors import one_of
from yt8m.layers.base import Yt8mLayer
from yt8m.layers.masks import mask_or_all
from yt8m.layers.pooling.attention import AttentionPooling
from yt8m.layers.pooling.frames import FramePooling

SequenceOutput = Literal["last", "mean", "linear", "attention"]


class LinearAnnealing(Yt8mLayer):
    """Σ_t (t/n)·x_t / Σ_t (t/n) over a video's n true steps: later outputs count more.

    Source: cited by UTS beside its attention (docs/sources.md#linear-annealing).

    Call: (x [B, T, D], mask=bool [B, T] with the true steps first, or None) -> [B, D]. For a video
    without steps the result is 0.
    """

    def call(self, x: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Return the weighted mean [B, D]."""
        step = tf.cast(tf.range(1, tf.shape(x)[1] + 1), tf.float32)
        weight = step * tf.cast(mask_or_all(mask, x), tf.float32)  # [B, T]
        weight = tf.math.divide_no_nan(weight, tf.reduce_sum(weight, axis=1, keepdims=True))
        return tf.einsum("bt,btd->bd", tf.cast(weight, x.dtype), x)


def make_sequence_pooling(
    output: SequenceOutput, hops: int, attention_size: int
) -> tf.keras.layers.Layer | None:
    """Return the layer that pools outputs [B, T, D], or None for "last", the final state.

    Args:
      output: "last", "mean", "linear" (`LinearAnnealing`) or "attention" (`AttentionPooling`, which
        is D · hops wide).
      hops: rows of the attention.
      attention_size: hidden width of the attention.

    Raises:
      ValueError: the output is none of these.
    """
    one_of("output", output, SequenceOutput)
    if output == "mean":
        return FramePooling("average", name="pool")
    if output == "linear":
        return LinearAnnealing(name="pool")
    return AttentionPooling(hops, attention_size, name="pool") if output == "attention" else None
