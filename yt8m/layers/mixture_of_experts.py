"""The classifier of both papers and of the starter code: for every class a small mixture of experts."""

from __future__ import annotations

from typing import Any, Dict, Optional

import numpy as np
import tensorflow as tf

from yt8m.layers.priors import check_initial, check_priors, logit
from yt8m.layers.regularizers import slim_l2


@tf.keras.utils.register_keras_serializable(package="yt8m")
class MixtureOfExperts(tf.keras.layers.Layer):
    """p_c = sum_{m < k} gate_cm * sigmoid(expert_cm) (UTS 2017 eq. 1, KDD 2019 eqs. 2-3, starter code MoeModel).

    The gates of a class are a softmax over its k experts and, with `dummy_expert`, one more that always
    says 0. Columns are class-major, the mixture fastest: column c * (k + 1) + m of the gates, c * k + m of
    the experts; the dummy's gate is the last of its class.

    Args:
      num_classes: K, or the width of a hidden mixture.
      num_mixtures: k, the experts of a class without the dummy.
      dummy_expert: the extra expert.
      expert_bias: a bias for each expert (KDD eq. 3 writes none; the starter code has one).
      l2: of both kernels, on TF-slim's scale (l2 * sum w^2 / 2).
      activation: "sigmoid", or None for linear experts (the hidden mixture of UTS's HGRU).
      initial: "priors" lets `initialize_from_priors` set the biases; "zeros" leaves them (the starter's way).

    Call: [..., D] -> [..., K], float32 under every dtype policy if the activation is "sigmoid".
    """

    def __init__(
        self,
        num_classes: int,
        num_mixtures: int = 2,
        dummy_expert: bool = True,
        expert_bias: bool = True,
        l2: float = 1e-8,
        activation: Optional[str] = "sigmoid",
        initial: str = "priors",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if num_mixtures < 1:
            raise ValueError(f"num_mixtures is at least 1, not {num_mixtures}")
        if activation not in ("sigmoid", None):
            raise ValueError(f'activation is "sigmoid" or None, not {activation!r}')
        self.num_classes = int(num_classes)
        self.num_mixtures = int(num_mixtures)
        self.dummy_expert = bool(dummy_expert)
        self.expert_bias = bool(expert_bias)
        self.l2 = float(l2)
        self.activation = activation
        self.initial = check_initial(initial)

    @property
    def num_gates(self) -> int:
        """Gates of a class: k, and one for the dummy."""
        return self.num_mixtures + int(self.dummy_expert)

    def build(self, input_shape: Any) -> None:
        """Make the gates' kernel [D, K * gates], the experts' kernel [D, K * k] and bias [K * k]."""
        width = int(input_shape[-1])
        self.gates_kernel = self.add_weight(
            name="gates_kernel",
            shape=(width, self.num_classes * self.num_gates),
            initializer="glorot_uniform",
            regularizer=slim_l2(self.l2),
        )
        self.experts_kernel = self.add_weight(
            name="experts_kernel",
            shape=(width, self.num_classes * self.num_mixtures),
            initializer="glorot_uniform",
            regularizer=slim_l2(self.l2),
        )
        if self.expert_bias:
            self.experts_bias = self.add_weight(
                name="experts_bias", shape=(self.num_classes * self.num_mixtures,), initializer="zeros"
            )
        super().build(input_shape)

    def call(self, x: Any) -> tf.Tensor:
        """Return the mixture of every class."""
        gates = tf.matmul(x, tf.cast(self.gates_kernel, self.compute_dtype))  # [..., K * gates]
        experts = tf.matmul(x, tf.cast(self.experts_kernel, self.compute_dtype))  # [..., K * k]
        gates, experts = tf.cast(gates, tf.float32), tf.cast(experts, tf.float32)
        if self.expert_bias:
            experts += tf.cast(self.experts_bias, tf.float32)
        lead = tf.shape(x)[:-1]
        gates = tf.reshape(gates, tf.concat([lead, [self.num_classes, self.num_gates]], 0))
        experts = tf.reshape(experts, tf.concat([lead, [self.num_classes, self.num_mixtures]], 0))
        gates = tf.nn.softmax(gates, axis=-1)[..., : self.num_mixtures]
        if self.activation == "sigmoid":
            return tf.reduce_sum(gates * tf.sigmoid(experts), axis=-1)  # [..., K]
        return tf.cast(tf.reduce_sum(gates * experts, axis=-1), self.compute_dtype)

    def initialize_from_priors(self, priors: np.ndarray) -> None:
        """Set the experts' biases so that the layer predicts the label frequencies `priors` [K].

        The gates start near to uniform, so each of k experts beside a dummy must say prior * (k + 1) / k.
        Nothing happens if `initial` is "zeros", or if the layer has no bias or is no classifier.
        """
        if self.initial == "priors" and self.expert_bias and self.activation == "sigmoid":
            share = check_priors(priors, self.num_classes) * self.num_gates / self.num_mixtures
            self.experts_bias.assign(np.repeat(logit(share), self.num_mixtures))

    def get_config(self) -> Dict[str, Any]:
        """Every constructor argument."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "num_mixtures": self.num_mixtures,
            "dummy_expert": self.dummy_expert,
            "expert_bias": self.expert_bias,
            "l2": self.l2,
            "activation": self.activation,
            "initial": self.initial,
        }
