"""The mixture of experts over classes: the head of nearly every model here."""

from __future__ import annotations

import math
from typing import Any, Dict, Optional, Tuple

import numpy as np
import tensorflow as tf

from yt8m.layers.prior_logits import prior_logits
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

    Input [B, D]; output [B, K] float32. Kernels are [D, states, K], classes fastest: a softmax over
    three neighbours in memory is slow on a CPU. (The starter code's columns are class-major:
    reshape them to [D, K, states] and swap the last two axes.)
    """

    def __init__(
        self,
        num_classes: int,
        num_mixtures: int = 2,
        dummy_expert: bool = True,
        expert_bias: bool = True,
        activation: Optional[str] = "sigmoid",
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
        width, k, states = int(input_shape[-1]), self.num_mixtures, self.num_mixtures + int(self.dummy_expert)
        self.gates = self._kernel("gates", width, states)
        self.experts = self._kernel("experts", width, k)
        if self.expert_bias:
            self.bias = self.add_weight(name="bias", shape=(k, self.num_classes), initializer="zeros", trainable=True)
        self.built = True

    def _kernel(self, name: str, width: int, copies: int) -> Any:
        limit = math.sqrt(6.0 / (width + copies * self.num_classes))  # Glorot's of the flat [D, copies · K] kernel
        return self.add_weight(
            name=name,
            shape=(width, copies, self.num_classes),
            initializer=tf.keras.initializers.RandomUniform(-limit, limit),
            regularizer=slim_l2(self.l2),
            trainable=True,
        )

    def initialize_from_priors(self, priors: np.ndarray) -> None:
        """Start every expert at logit(prior_c · (k + 1) / k): with even gates the model then predicts the priors [K]."""
        if self.initial != "priors" or not self.expert_bias or self.activation != "sigmoid":
            return
        share = (self.num_mixtures + 1) / self.num_mixtures if self.dummy_expert else 1.0
        self.bias.assign(np.tile(prior_logits(np.asarray(priors) * share), (self.num_mixtures, 1)))

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return probabilities (or linear mixtures) [B, K]."""
        gates = _product(x, self.gates)  # [B, k (+ 1), K]
        experts = _product(x, self.experts)  # [B, k, K]
        if self.expert_bias:
            experts = experts + tf.cast(self.bias, tf.float32)
        return _mix(gates, experts, self.activation == "sigmoid")

    def get_config(self) -> Dict[str, Any]:
        """Every constructor argument."""
        names = ("num_classes", "num_mixtures", "dummy_expert", "expert_bias", "activation", "l2", "initial")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _product(x: tf.Tensor, kernel: Any) -> tf.Tensor:
    """Return x · kernel as float32 [B, copies, K]."""
    width, copies, classes = kernel.shape
    flat = tf.matmul(x, tf.cast(tf.reshape(kernel, [width, copies * classes]), x.dtype))
    return tf.reshape(tf.cast(flat, tf.float32), [-1, copies, classes])


def _mix(gates: tf.Tensor, experts: tf.Tensor, sigmoid: bool) -> tf.Tensor:
    """Return Σ_m softmax(gates)_m · σ(experts_m), [B, K].

    The gradient is written out (with p the output, g a gate, e an expert: ∂p/∂gate_m = g_m (e_m − p),
    e = 0 for the dummy; ∂p/∂expert_m = g_m e_m (1 − e_m)), which is exact and saves half of a
    training step's passes over [B, K].

    Args:
      gates: logits [B, k, K], or [B, k + 1, K] with the dummy last.
      experts: [B, k, K].
      sigmoid: else the experts are linear.
    """

    @tf.custom_gradient
    def mix(gates: tf.Tensor, experts: tf.Tensor) -> Tuple[tf.Tensor, Any]:
        k, states = experts.shape[1], gates.shape[1]
        logits = tf.unstack(gates, axis=1)  # states × [B, K]
        highest = logits[0]
        for one in logits[1:]:
            highest = tf.maximum(highest, one)
        powers = [tf.exp(one - highest) for one in logits]
        scale = tf.math.reciprocal(tf.add_n(powers))
        share = [power * scale for power in powers]
        value = [tf.sigmoid(e) if sigmoid else e for e in tf.unstack(experts, axis=1)]
        p = tf.add_n([share[m] * value[m] for m in range(k)])  # [B, K]

        def gradient(dp: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
            weighted = [dp * g for g in share]
            to_gates = [weighted[m] * ((value[m] - p) if m < k else -p) for m in range(states)]
            to_experts = [weighted[m] * (value[m] * (1.0 - value[m])) if sigmoid else weighted[m] for m in range(k)]
            return tf.stack(to_gates, axis=1), tf.stack(to_experts, axis=1)

        return p, gradient

    return mix(gates, experts)
