"""The mixture of experts over classes: the head of nearly every model."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m.compat import NO_AUTOCAST
from yt8m.layers.base import Yt8mLayer
from yt8m.layers.heads.chunked_mixture import chunked_mixture
from yt8m.layers.heads.mixture_loss import Mixture, remember
from yt8m.layers.heads.mixture_math import STATES_FASTEST_FROM, mix
from yt8m.layers.heads.prior_logits import Initial, prior_logits
from yt8m.layers.regularizers import slim_l2


class MixtureOfExperts(Yt8mLayer):
    """p_c = Σ_m gate_{c,m} · σ(expert_{c,m}), gates a softmax over k experts and a dummy.

    The dummy predicts 0. Source: UTS eq. 1, KDD eqs. 2 and 3, the starter code's `MoeModel`
    (docs/sources.md#mixture-of-experts).

    Args:
      num_classes: K, or the width of a hidden mixture.
      num_mixtures: k, without the dummy.
      dummy_expert: whether the gates have the dummy as their last state.
      expert_bias: whether the experts have a bias; the gates never have one.
      activation: "sigmoid", or None for the linear experts of UTS' hidden mixture.
      l2: weight of Σw²/2 of both kernels (the scale of TF-slim).
      initial: "priors" lets `initialize_from_priors` act; "zeros" keeps the starter's zero biases.

    Call: x [B, D] -> float32 [B, K].

    The columns of the starter code's kernels are class-major: [D, K, states]. So are the kernels
    here from 16 mixtures on, where they are computed in chunks of classes. With fewer mixtures they
    are [D, states, K], for the reason that `mixture_math` gives.
    """

    def __init__(
        self,
        num_classes: int,
        num_mixtures: int = 2,
        dummy_expert: bool = True,
        expert_bias: bool = True,
        activation: Literal["sigmoid"] | None = "sigmoid",
        l2: float = 1e-8,
        initial: Initial = "priors",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_classes, self.num_mixtures = int(num_classes), int(num_mixtures)
        self.dummy_expert, self.expert_bias, self.activation = dummy_expert, expert_bias, activation
        self.l2, self.initial = l2, initial

    def build(self, input_shape: Any) -> None:
        """Create the kernels for inputs [B, D], and the experts' bias."""
        width, k = int(input_shape[-1]), self.num_mixtures
        self.class_major = k >= STATES_FASTEST_FROM
        self.gates = self._kernel("gates", width, k + int(self.dummy_expert))
        self.experts = self._kernel("experts", width, k)
        if self.expert_bias:
            shape = (self.num_classes, k) if self.class_major else (k, self.num_classes)
            options = NO_AUTOCAST if self.class_major else {}
            self.bias = self.new_weight("bias", shape, "zeros", **options)
        self.built = True

    def _kernel(self, name: str, width: int, copies: int) -> Any:
        classes = self.num_classes
        # The limit is Glorot's for the flat kernel [D, copies · K].
        limit = math.sqrt(6.0 / (width + copies * classes))
        return self.new_weight(
            name,
            (width, classes, copies) if self.class_major else (width, copies, classes),
            tf.keras.initializers.RandomUniform(-limit, limit),
            regularizer=slim_l2(self.l2),
            **(NO_AUTOCAST if self.class_major else {}),
        )

    def initialize_from_priors(self, priors: NDArray[Any]) -> None:
        """Make an untrained mixture with even gates predict the label frequencies [K].

        Every expert starts at logit(prior_c · (k + 1) / k).
        """
        if self.initial != "priors" or not self.expert_bias or self.activation != "sigmoid":
            return
        k = self.num_mixtures
        share = (k + 1) / k if self.dummy_expert else 1.0
        biases = np.tile(prior_logits(np.asarray(priors) * share), (k, 1))  # [k, K]
        self.bias.assign(biases.T if self.class_major else biases)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return probabilities (or linear mixtures) [B, K]."""
        sigmoid = self.activation == "sigmoid"
        shape = [self.num_mixtures, self.num_classes]
        no_bias = tf.zeros(shape[::-1] if self.class_major else shape)
        if self.class_major:
            bias = tf.convert_to_tensor(self.bias) if self.expert_bias else no_bias
            gates, experts = tf.convert_to_tensor(self.gates), tf.convert_to_tensor(self.experts)
            return chunked_mixture(x, gates, experts, bias, sigmoid)
        gates, experts = (
            tf.cast(tf.convert_to_tensor(v), x.dtype) for v in (self.gates, self.experts)
        )
        bias = tf.cast(self.bias, tf.float32) if self.expert_bias else no_bias
        p = mix(_product(x, gates), _product(x, experts) + bias, sigmoid)
        return remember(p, Mixture(x, gates, experts, bias, sigmoid))


def _product(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Return x · kernel as float32 [B, copies, K].

    The kernel keeps its three axes: as [D, copies · K], an accelerator would move all of it in
    memory in every step, since it pads the axis of the classes.
    """
    return tf.cast(tf.einsum("bd,dsk->bsk", x, kernel), tf.float32)
