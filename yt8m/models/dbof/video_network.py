"""Parts that the frame-level and the video-level models of the KDD paper share.

They are mixins, so that their layers are attributes of the model itself: weight files name the
layers by these attributes.
"""

from __future__ import annotations

from typing import Any, Literal

import tensorflow as tf

from yt8m.errors import one_of
from yt8m.layers.normalisation.batch_norm import batch_norm
from yt8m.layers.normalisation.context_gating import ContextGating
from yt8m.layers.normalisation.normalized_dense import NormalizedDense

Variant = Literal["basic", "cgate", "resnet"]
ResInner = Literal["bn_relu", "relu", "linear", "bn_sigmoid"]
ResOuter = Literal["sigmoid_after_add", "sigmoid_before_add"]

_ACTIVATIONS = {"relu": tf.nn.relu, "sigmoid": tf.sigmoid, "linear": tf.identity}


def fully_connected(width: int, name: str) -> tf.keras.layers.Dense:
    """Return a layer without a bias, because a batch normalisation follows it.

    Source: docs/sources.md#dbof-networks.
    """
    return tf.keras.layers.Dense(width, use_bias=False, name=name)


def normalized_dense(width: int, name: str, norm: Any) -> tf.keras.layers.Dense:
    """Return a layer as `fully_connected` does, for data that `norm` (or None) normalises."""
    if norm is None:
        return fully_connected(width, name)
    return NormalizedDense(width, name=name)


def normalized_product(
    x: tf.Tensor, norm: Any, dense: Any, following: Any, mask: Any = None, training: Any = None
) -> tf.Tensor:
    """Return following(dense(norm(x))) for data x and a layer by `normalized_dense`.

    Args:
      x: [..., D].
      norm: a `DebiasedBatchNorm`, or None.
      dense: the layer.
      following: the `DebiasedBatchNorm` of what the layer returns.
      mask: bool [...] or None, for both normalisations.
      training: as in `DebiasedBatchNorm`.
    """
    if norm is None:
        return following(dense(x), mask=mask, training=training)
    y, shift = dense(norm(x, mask=mask, training=training, affine=False), norm=norm)
    return following(y, mask=mask, training=training, shift=shift)


class VideoNetwork:
    """A mixin with the video-level half: x [B, D] → FC, BN, σ → [gate] → v [B, width].

    Source: KDD §3.1.1 (docs/sources.md#dbof-networks).
    """

    def norm_of_video(self) -> Any:
        """Return the normalisation of x, or None; x is then data, and not computed by weights."""
        return None

    def make_video_network(self, width: int, gated: bool, gate_batch_norm: bool) -> None:
        """Create the layers.

        Args:
          width: width of v.
          gated: whether a context gate follows, as in DBoF-Cgate.
          gate_batch_norm: give the gate a batch normalisation in place of a bias.
        """
        norm = self.norm_of_video()
        self.video_fc = normalized_dense(width, "video", norm)
        self.video_bn = batch_norm("video_bn")
        self.video_gate = ContextGating(gate_batch_norm, name="video_gate") if gated else None

    def video_network(self, x: tf.Tensor, training: Any = None) -> tf.Tensor:
        """Return v [B, width]."""
        norm = self.norm_of_video()
        x = normalized_product(x, norm, self.video_fc, self.video_bn, training=training)
        x = tf.sigmoid(x)  # [B, width]
        return x if self.video_gate is None else self.video_gate(x, training=training)


class ResidualBlock:
    """A mixin with the residual block of DBoF-ResNet: σ(BN(FC₂(ReLU(BN(FC₁ h)))) + h).

    Source: KDD §3.1.1. The paper says that the first layer of the block has neither batch
    normalisation nor σ. Taken literally, the two layers would be one linear map;
    docs/sources.md#residual-block takes the sentence to mean "another activation", and options
    offer the other interpretations.
    """

    def make_residual_block(self, width: int, inner: ResInner, outer: ResOuter) -> None:
        """Create the layers.

        Args:
          width: width of h.
          inner: what follows FC₁.
          outer: "sigmoid_after_add", or "sigmoid_before_add" for h + σ(BN(FC₂ …)).

        Raises:
          ValueError: `inner` or `outer` is not one of the choices.
        """
        self._inner = one_of("res_inner", inner, ResInner)
        self._outer = one_of("res_outer", outer, ResOuter)
        self.inner_fc = fully_connected(width, "inner")
        self.inner_bn = batch_norm("inner_bn") if inner.startswith("bn_") else None
        self.outer_fc, self.outer_bn = fully_connected(width, "outer"), batch_norm("outer_bn")

    def residual_block(self, h: tf.Tensor, mask: Any = None, training: Any = None) -> tf.Tensor:
        """Return the block's output, which has the shape of h [..., width]."""
        inner = self.inner_fc(h)
        if self.inner_bn is not None:
            inner = self.inner_bn(inner, mask=mask, training=training)
        inner = _ACTIVATIONS[self._inner.split("_")[-1]](inner)
        added = self.outer_bn(self.outer_fc(inner), mask=mask, training=training)
        if self._outer == "sigmoid_after_add":
            return tf.sigmoid(added + h)
        return tf.sigmoid(added) + h
