"""A mixture of NeXtVLAD networks that learn from their own mixture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.dequantize import DequantizeFrames, InputNorm
from yt8m.layers.heads.logistic_head import LogisticHead
from yt8m.layers.heads.prior_logits import Initial
from yt8m.layers.normalisation.batch_norm import batch_norm
from yt8m.layers.pooling.frames import FramePooling
from yt8m.layers.pooling.next_vlad_network import NextVladNetwork
from yt8m.models.core.base import FrameModel, Inputs, Loss
from yt8m.models.core.registry import register
from yt8m.models.vlad.next_vlad import NEXTVLAD_RECIPE


def divergence(teacher: tf.Tensor, students: tf.Tensor, temperature: float) -> tf.Tensor:
    """Return Σ_n KL(softmax(z/τ) ‖ softmax(z_n/τ)) [B], where the softmax is over the classes.

    Source: the NeXtVLAD paper and code (docs/sources.md#on-line-distillation).

    Args:
      teacher: logits z of the mixture [B, K].
      students: logits z_n of the networks [B, N, K].
      temperature: τ.
    """
    log_teacher = tf.nn.log_softmax(teacher / temperature)[:, None]  # [B, 1, K]
    log_students = tf.nn.log_softmax(students / temperature)
    each = tf.exp(log_teacher) * (log_teacher - log_students)
    return tf.reduce_sum(each, axis=[1, 2])


@register("MixNeXtVladModel")
class MixNeXtVladModel(FrameModel):
    """A mixture of three NeXtVLAD networks with on-line distillation.

    Source: docs/sources.md#on-line-distillation. `cluster_size=112 hidden_size=2048
    gating_reduction=16` are the published sizes; the defaults are those of the published code.

    Args:
      mix_number: N, the number of networks.
      cluster_size, hidden_size, groups, expansion, gating_reduction, dropout: those of each
        network, as in `NeXtVladModel`.
      temperature: τ of the distillation.
      distillation: weight of the divergence of the networks from their mixture.
      input_norm: "none", or "l2" for frames of norm 1.
      initial: "priors" lets `initialize_from_priors` start the heads at the label frequencies;
        "zeros" starts their biases at zero, as the published code does.
      l2: scale of the weight decay of the heads, as in TF-slim.
    """

    recipe = NEXTVLAD_RECIPE

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        mix_number: int = 3,
        cluster_size: int = 64,
        hidden_size: int = 1024,
        groups: int = 8,
        expansion: int = 2,
        gating_reduction: int = 8,
        dropout: float = 0.5,
        temperature: float = 3.0,
        distillation: float = 9.0,
        input_norm: InputNorm = "none",
        initial: Initial = "priors",
        l2: float = 1e-5,
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, input_norm=input_norm, **kwargs)
        self.temperature, self.distillation = temperature, distillation
        self.dequantize = DequantizeFrames(self.input_norm)
        self.mean = FramePooling("average")
        self.mean_norm = batch_norm("mean_norm")
        self.weights_of_networks = tf.keras.layers.Dense(
            mix_number, kernel_initializer="he_normal", name="weights_of_networks"
        )
        sizes = (cluster_size, hidden_size, groups, expansion, gating_reduction, dropout)
        self.networks = [
            NextVladNetwork(self.feature_sizes, *sizes, name=f"network_{n}")
            for n in range(mix_number)
        ]
        self.heads = [
            LogisticHead(num_classes, l2, initial, name=f"head_{n}") for n in range(mix_number)
        ]

    def logits(self, inputs: Inputs, training: Any = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the logits of the mixture [B, K] and of its networks [B, N, K], float32."""
        x, mask = self.dequantize(inputs["frames"], num_frames=inputs["num_frames"])
        mean = self.mean_norm(self.mean(x, mask=mask), training=training)
        shares = tf.nn.softmax(tf.cast(self.weights_of_networks(mean), tf.float32))  # [B, N]
        each = []
        for network, head in zip(self.networks, self.heads):
            hidden = network(x, mask=mask, training=training)
            each.append(head(hidden, as_logits=True))
        stacked = tf.stack(each, axis=1)
        return tf.einsum("bn,bnk->bk", shares, stacked), stacked

    def call(self, inputs: Inputs, training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        return tf.sigmoid(self.logits(inputs, training)[0])

    def training_loss(
        self, inputs: Inputs, labels: Any, weights: Any | None, loss: Loss
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return (loss of the mixture and of each network, and their divergence [B]; p [B, K])."""
        mixed, each = self.logits(inputs, training=True)
        predictions = tf.sigmoid(mixed)
        total = loss(labels, predictions, weights)
        for logits in tf.unstack(each, axis=1):
            total += loss(labels, tf.sigmoid(logits), weights)
        total += self.distillation * divergence(mixed, each, self.temperature)
        return total, predictions
