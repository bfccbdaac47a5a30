"""A mixture of experts whose probabilities gate one another."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m.layers.base import Yt8mLayer
from yt8m.layers.heads.mixture_of_experts import MixtureOfExperts
from yt8m.layers.heads.prior_logits import Initial
from yt8m.layers.normalisation.context_gating import ContextGating


class GatedMixture(Yt8mLayer):
    """σ(BN(W p)) ∘ p, where p are the probabilities of a mixture of experts.

    Source: the WILLOW paper and code (docs/sources.md#gated-mixture).

    Args:
      num_classes: K.
      num_mixtures: see `MixtureOfExperts`.
      l2: see `MixtureOfExperts`; W has no penalty.
      initial: see `MixtureOfExperts`.

    Call: (x [B, D], training) -> float32 [B, K].
    """

    def __init__(
        self,
        num_classes: int,
        num_mixtures: int = 2,
        l2: float = 1e-8,
        initial: Initial = "priors",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_classes, self.initial = int(num_classes), initial
        self.mixture = MixtureOfExperts(
            num_classes, num_mixtures, l2=l2, initial=initial, name="mixture"
        )
        stddev = 1.0 / self.num_classes**0.5
        self.gate = ContextGating(stddev=stddev, name="gate")

    def build(self, input_shape: Any) -> None:
        """Create the mixture for inputs [B, D], and the gate."""
        self.mixture.build(input_shape)
        self.gate.build((None, self.num_classes))
        self.built = True

    def initialize_from_priors(self, priors: NDArray[Any]) -> None:
        """Make an untrained head, whose gates are near 1/2, predict the label frequencies [K]."""
        self.mixture.initialize_from_priors(2.0 * np.asarray(priors))

    def call(self, x: tf.Tensor, training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        p = self.mixture(x)
        # The product is in float32, whatever the gate is computed in, so that no ranks are lost.
        return p * tf.cast(self.gate.gates(p, training=training), tf.float32)
