"""Attention in which every output unit has weights of its own over the frames."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m.errors import one_of
from yt8m.layers.base import Yt8mLayer
from yt8m.layers.flat_product import flat_product
from yt8m.layers.heads.prior_logits import Initial, prior_logits
from yt8m.layers.masks import mask_or_all

Value = Literal["linear", "sigmoid"]
Weight = Literal["softmax", "sigmoid"]

# The published limits of a weight before the weights are divided by their sum.
_LEAST, _MOST = 1e-7, 1.0 - 1e-7


class UnitAttention(Yt8mLayer):
    """y_u = Σ_t a_tu c_tu / Σ_t a_tu with values c = f(W_c x + b_c) and weights a = g(W_a x + b_a).

    Source: Kong et al. 2018 and 2019 (docs/sources.md#attention-networks-of-audioset).

    Args:
      units: width of the output.
      value: f. With "sigmoid", the values are probabilities, and so is the output.
      weight: g, a sigmoid, or a softmax over the units of one frame.
      initial: "priors" lets `initialize_from_priors` set b_c, for values that are probabilities.

    Call: (x [B, T, D], mask=bool [B, T] or None) -> float32 [B, units]. A video without frames
    gives 0.
    """

    def __init__(
        self,
        units: int,
        value: Value = "sigmoid",
        weight: Weight = "softmax",
        initial: Initial = "zeros",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units, self.initial = int(units), initial
        self.value = one_of("value", value, Value)
        self.weight = one_of("weight", weight, Weight)

    def build(self, input_shape: Any) -> None:
        """Create W_c and W_a [D, units], and their biases."""
        shape = (int(input_shape[-1]), self.units)
        self.value_kernel = self.new_weight("value_kernel", shape)
        self.value_bias = self.new_weight("value_bias", (self.units,), "zeros")
        self.weight_kernel = self.new_weight("weight_kernel", shape)
        self.weight_bias = self.new_weight("weight_bias", (self.units,), "zeros")
        self.built = True

    def initialize_from_priors(self, priors: NDArray[Any]) -> None:
        """Set b_c by the label frequencies [units], if `initial` allows it."""
        if self.initial == "priors":
            self.value_bias.assign(prior_logits(np.asarray(priors)))

    def call(self, x: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Return the pooled values [B, units]."""
        values = tf.cast(flat_product(x, self.value_kernel, self.value_bias), tf.float32)
        scores = tf.cast(flat_product(x, self.weight_kernel, self.weight_bias), tf.float32)
        values = tf.sigmoid(values) if self.value == "sigmoid" else values  # [B, T, units]
        weights = tf.sigmoid(scores) if self.weight == "sigmoid" else tf.nn.softmax(scores)
        weights = tf.clip_by_value(weights, _LEAST, _MOST)
        weights = weights * tf.cast(mask_or_all(mask, x), tf.float32)[:, :, None]
        total = tf.reduce_sum(weights * values, axis=1)
        return tf.math.divide_no_nan(total, tf.reduce_sum(weights, axis=1))
