"""The mixture of experts over classes: the head of nearly every model here."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.compat import NO_AUTOCAST
from yt8m.layers.heads.chunked_mixture import chunked_mixture
from yt8m.layers.heads.mixture_math import STATES_FASTEST_FROM, mix
from yt8m.layers.heads.prior_logits import prior_logits
from yt8m.layers.regularizers import slim_l2


@tf.keras.utils.register_keras_serializable(package="yt8m")
class MixtureOfExperts(tf.keras.layers.Layer):
    """p_c = Σ_m gate_{c,m} · σ(expert_{c,m}), gates a softmax over k experts and a dummy that says 0.

    Source: UTS eq. 1, KDD eqs. 2 and 3, starter code `MoeModel` (spec C.1).

    Args:
      num_classes: K, or the width of a hidden mixture.
      num_mixtures: k, without the dummy.
      dummy_expert: whether the gates have a last state in which no expert speaks.
      expert_bias: whether the experts have a bias; the gates never do.
      activation: "sigmoid", or None for linear experts (UTS' hidden mixture).
      l2: weight of Σw²/2 over both kernels (TF-slim's scale).
      initial: "priors" lets `initialize_from_priors` act; "zeros" leaves the starter's zero biases.

    Input [B, D]; output [B, K] float32. The starter code's columns are class-major: [D, K, states].
    So are our kernels from 16 mixtures on, where they are computed a chunk of classes at a time; below
    that they are [D, states, K] (see `mixture_math` for why).
    """

    def __init__(
        self,
        num_classes: int,
        num_mixtures: int = 2,
        dummy_expert: bool = True,
        expert_bias: bool = True,
        activation: str | None = "sigmoid",
        l2: float = 1e-8,
        initial: str = "priors",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_classes, self.num_mixtures = int(num_classes), int(num_mixtures)
        self.dummy_expert, self.expert_bias, self.activation = dummy_expert, expert_bias, activation
        self.l2, self.initial = l2, initial

    def build(self, input_shape: Any) -> None:
        """Make the kernels for inputs [B, D]."""
        width, k, states = (
            int(input_shape[-1]),
            self.num_mixtures,
            self.num_mixtures + int(self.dummy_expert),
        )
        self.class_major = k >= STATES_FASTEST_FROM
        self.gates = self._kernel("gates", width, states)
        self.experts = self._kernel("experts", width, k)
        if self.expert_bias:
            shape = (self.num_classes, k) if self.class_major else (k, self.num_classes)
            more = NO_AUTOCAST if self.class_major else {}
            self.bias = self.add_weight(
                name="bias", shape=shape, initializer="zeros", trainable=True, **more
            )
        self.built = True

    def _kernel(self, name: str, width: int, copies: int) -> Any:
        limit = math.sqrt(
            6.0 / (width + copies * self.num_classes)
        )  # Glorot's of the flat [D, copies · K] kernel
        return self.add_weight(
            name=name,
            shape=(width, self.num_classes, copies)
            if self.class_major
            else (width, copies, self.num_classes),
            initializer=tf.keras.initializers.RandomUniform(-limit, limit),
            regularizer=slim_l2(self.l2),
            trainable=True,
            **(NO_AUTOCAST if self.class_major else {}),
        )

    def initialize_from_priors(self, priors: np.ndarray) -> None:
        """Start every expert at logit(prior_c · (k + 1) / k): with even gates the model then predicts the priors [K]."""
        if self.initial != "priors" or not self.expert_bias or self.activation != "sigmoid":
            return
        share = (self.num_mixtures + 1) / self.num_mixtures if self.dummy_expert else 1.0
        biases = np.tile(prior_logits(np.asarray(priors) * share), (self.num_mixtures, 1))  # [k, K]
        self.bias.assign(biases.T if self.class_major else biases)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return probabilities (or linear mixtures) [B, K]."""
        sigmoid = self.activation == "sigmoid"
        if self.class_major:
            no_bias = tf.zeros([self.num_classes, self.num_mixtures])
            bias = tf.convert_to_tensor(self.bias) if self.expert_bias else no_bias
            return chunked_mixture(
                x,
                tf.convert_to_tensor(self.gates),
                tf.convert_to_tensor(self.experts),
                bias,
                sigmoid,
            )
        gates = _product(x, self.gates)  # [B, k (+ 1), K]
        experts = _product(x, self.experts)  # [B, k, K]
        if self.expert_bias:
            experts = experts + tf.cast(self.bias, tf.float32)
        return mix(gates, experts, sigmoid)

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        names = (
            "num_classes",
            "num_mixtures",
            "dummy_expert",
            "expert_bias",
            "activation",
            "l2",
            "initial",
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _product(x: tf.Tensor, kernel: Any) -> tf.Tensor:
    """Return x · kernel as float32 [B, copies, K]."""
    width, copies, classes = kernel.shape
    flat = tf.matmul(x, tf.cast(tf.reshape(kernel, [width, copies * classes]), x.dtype))
    return tf.reshape(tf.cast(flat, tf.float32), [-1, copies, classes])
