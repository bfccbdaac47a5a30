"""The KDD models' second half, from one vector a video to the classifier's input: shared by frame- and video-level models."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.layers.normalisation.batch_norm import batch_norm
from yt8m.layers.normalisation.context_gating import ContextGating

RES_INNER = ("bn_relu", "relu", "linear", "bn_sigmoid")
RES_OUTER = ("sigmoid_after_add", "sigmoid_before_add")


def fully_connected(width: int, name: str) -> tf.keras.layers.Dense:
    """Return a layer without a bias, which the batch normalisation behind it has (spec D.2)."""
    return tf.keras.layers.Dense(width, use_bias=False, name=name)


class VideoNetwork:
    """Mixed into a model: x [B, D] → FC, BN, σ → [gate] → v [B, width] (KDD §3.1.1; spec D.2).

    The layers are the model's own attributes, so that its weight files name them as they always have.
    """

    def make_video_network(self, width: int, gated: bool, gate_batch_norm: bool) -> None:
        """Make the layers.

        Args:
          width: of v.
          gated: whether a context gate ends it (DBoF-Cgate).
          gate_batch_norm: batch normalisation in the gate, in place of a bias.
        """
        self.video_fc, self.video_bn = fully_connected(width, "video"), batch_norm("video_bn")
        self.video_gate = ContextGating(gate_batch_norm, name="video_gate") if gated else None

    def video_network(self, x: tf.Tensor, training: Any = None) -> tf.Tensor:
        """Return v [B, width]."""
        x = tf.sigmoid(self.video_bn(self.video_fc(x), training=training))  # [B, width]
        return x if self.video_gate is None else self.video_gate(x, training=training)


class ResidualBlock:
    """Mixed into a model: the residual block of DBoF-ResNet, σ(BN(FC₂(ReLU(BN(FC₁ h)))) + h) (KDD §3.1.1).

    The paper says that its first layer has neither batch normalisation nor σ. Read to the letter the two layers
    would be one linear map; spec D.2 takes the sentence to mean "another activation", and has the rest as options.
    """

    def make_residual_block(self, width: int, inner: str, outer: str) -> None:
        """Make the layers.

        Args:
          width: of h.
          inner: what follows FC₁: "bn_relu", "relu", "linear" or "bn_sigmoid".
          outer: "sigmoid_after_add", or "sigmoid_before_add" for h + σ(BN(FC₂ …)).

        Raises:
          ValueError: another word.
        """
        if inner not in RES_INNER or outer not in RES_OUTER:
            raise ValueError(
                f"res_inner is one of {RES_INNER} and res_outer one of {RES_OUTER}, not {inner!r}, {outer!r}"
            )
        self._inner, self._outer = inner, outer
        self.inner_fc = fully_connected(width, "inner")
        self.inner_bn = batch_norm("inner_bn") if inner.startswith("bn_") else None
        self.outer_fc, self.outer_bn = fully_connected(width, "outer"), batch_norm("outer_bn")

    def residual_block(self, h: tf.Tensor, mask: Any = None, training: Any = None) -> tf.Tensor:
        """Return the block's output, shaped as h [..., width]."""
        inner = self.inner_fc(h)
        if self.inner_bn is not None:
            inner = self.inner_bn(inner, mask=mask, training=training)
        activation = {"relu": tf.nn.relu, "sigmoid": tf.sigmoid, "linear": tf.identity}[
            self._inner.split("_")[-1]
        ]
        added = self.outer_bn(self.outer_fc(activation(inner)), mask=mask, training=training)
        return (
            tf.sigmoid(added + h) if self._outer == "sigmoid_after_add" else tf.sigmoid(added) + h
        )
