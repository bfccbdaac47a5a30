"""The outputs of a recurrent layer to one vector, by name: the last state, their mean, linear annealing, attention."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.pooling.attention import AttentionPooling
from yt8m.layers.pooling.frames import FramePooling

OUTPUTS = ("last", "mean", "linear", "attention")


@tf.keras.utils.register_keras_serializable(package="yt8m")
class LinearAnnealing(tf.keras.layers.Layer):
    """Σ_t (t/n)·x_t / Σ_t (t/n) over a video's n true steps t = 1 … n: the later an output, the more it counts.

    Source: cited by UTS beside its attention (spec C.13).

    Input [B, T, D] with `mask` bool [B, T], true steps first (None: all are true); output [B, D]. A video
    without steps gives 0.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True  # given by keyword; without this Keras 3 warns that it is lost

    def build(self, input_shape: Any) -> None:
        """There is nothing to make."""
        self.built = True

    def call(self, x: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Return the weighted mean [B, D]."""
        if mask is None:
            mask = tf.ones(tf.shape(x)[:2], tf.bool)
        weight = tf.cast(tf.range(1, tf.shape(x)[1] + 1), tf.float32) * tf.cast(
            mask, tf.float32
        )  # [B, T]
        weight = tf.math.divide_no_nan(weight, tf.reduce_sum(weight, axis=1, keepdims=True))
        return tf.einsum("bt,btd->bd", tf.cast(weight, x.dtype), x)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """No mask goes on with the output: each layer is given its own."""


def make_sequence_pooling(
    output: str, hops: int, attention_size: int
) -> tf.keras.layers.Layer | None:
    """Return the layer that pools a sequence of outputs [B, T, D], or None for "last": the final state is taken.

    Args:
      output: "last", "mean", "linear" (`LinearAnnealing`) or "attention" (`AttentionPooling`, D · hops wide).
      hops, attention_size: of the attention.

    Raises:
      ValueError: another name.
    """
    if output not in OUTPUTS:
        raise ValueError(f"output is one of {', '.join(OUTPUTS)}, not {output!r}")
    if output == "mean":
        return FramePooling("average", name="pool")
    if output == "linear":
        return LinearAnnealing(name="pool")
    return AttentionPooling(hops, attention_size, name="pool") if output == "attention" else None
