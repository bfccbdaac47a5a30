"""The mixture of experts over classes: the head of nearly every model here."""

from __future__ import annotations

from typing import Any, Dict, Optional

import numpy as np
import tensorflow as tf

from yt8m.layers.prior_logits import prior_logits


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

    Input [B, D]; output [B, K] float32. Columns of both kernels are class-major, mixture fastest.
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
        width, k = int(input_shape[-1]), self.num_mixtures
        regularizer = tf.keras.regularizers.L2(self.l2 / 2) if self.l2 else None
        shared = {"initializer": "glorot_uniform", "regularizer": regularizer, "trainable": True}
        states = k + 1 if self.dummy_expert else k
        self.gates = self.add_weight(name="gates", shape=(width, self.num_classes * states), **shared)
        self.experts = self.add_weight(name="experts", shape=(width, self.num_classes * k), **shared)
        if self.expert_bias:
            self.bias = self.add_weight(name="bias", shape=(self.num_classes * k,), initializer="zeros", trainable=True)
        self.built = True

    def initialize_from_priors(self, priors: np.ndarray) -> None:
        """Start every expert at logit(prior_c · (k + 1) / k): with even gates the model then predicts the priors [K]."""
        if self.initial != "priors" or not self.expert_bias or self.activation != "sigmoid":
            return
        share = (self.num_mixtures + 1) / self.num_mixtures if self.dummy_expert else 1.0
        self.bias.assign(np.repeat(prior_logits(np.asarray(priors) * share), self.num_mixtures))

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return probabilities (or linear mixtures) [B, K]."""
        k = self.num_mixtures
        states = k + 1 if self.dummy_expert else k
        gates = tf.matmul(x, tf.cast(self.gates, x.dtype))  # [B, K·states]
        experts = tf.matmul(x, tf.cast(self.experts, x.dtype))  # [B, K·k]
        gates, experts = tf.cast(gates, tf.float32), tf.cast(experts, tf.float32)
        if self.expert_bias:
            experts = experts + tf.cast(self.bias, tf.float32)
        gates = tf.nn.softmax(tf.reshape(gates, [-1, self.num_classes, states]))[:, :, :k]  # [B, K, k]
        experts = tf.reshape(experts, [-1, self.num_classes, k])
        if self.activation == "sigmoid":
            experts = tf.sigmoid(experts)
        return tf.reduce_sum(gates * experts, axis=-1)  # [B, K]

    def get_config(self) -> Dict[str, Any]:
        """Every constructor argument."""
        names = ("num_classes", "num_mixtures", "dummy_expert", "expert_bias", "activation", "l2", "initial")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
