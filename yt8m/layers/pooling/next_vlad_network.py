"""A NeXtVLAD network without its classifier, from the frames to a hidden layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.base import Yt8mLayer
from yt8m.layers.normalisation.batch_norm import batch_norm
from yt8m.layers.normalisation.context_gating import ContextGating
from yt8m.layers.pooling.by_feature import shares, split
from yt8m.layers.pooling.next_vlad import NextVlad


class NextVladNetwork(Yt8mLayer):
    """NeXtVLAD of each feature → dropout → FC, BN → context gate with a bottleneck.

    Source: the NeXtVLAD paper and code (docs/sources.md#nextvlad).

    Args:
      feature_sizes: width of each feature of a frame.
      cluster_size: number of clusters of the widest feature; a narrower one has half as many.
      hidden_size: width of the fully connected layer.
      groups: G of the widest feature; a narrower one has half as many.
      expansion: λ.
      gating_reduction: r of the gate.
      dropout: rate after the pooling.

    Call: (x [B, T, D], mask=bool [B, T] or None, training) -> [B, hidden_size].
    """

    def __init__(
        self,
        feature_sizes: Sequence[int],
        cluster_size: int,
        hidden_size: int,
        groups: int = 8,
        expansion: int = 2,
        gating_reduction: int = 8,
        dropout: float = 0.5,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.widths, self.hidden_size = [int(size) for size in feature_sizes], int(hidden_size)
        self._clusters = shares(cluster_size, self.widths, 2, least=2)
        self._groups = shares(groups, self.widths, 2)
        for i, (clusters, parts) in enumerate(zip(self._clusters, self._groups)):
            # Weight files name a layer by its attribute.
            setattr(self, f"pool_{i}", NextVlad(clusters, parts, expansion, name=f"pool_{i}"))
        self.drop = tf.keras.layers.Dropout(dropout, name="drop")
        self.hidden = tf.keras.layers.Dense(
            hidden_size, use_bias=False, kernel_initializer="he_normal", name="hidden"
        )
        self.hidden_norm = batch_norm("hidden_norm")
        self.gate = ContextGating(reduction=gating_reduction, name="gate")

    def pools(self) -> list[NextVlad]:
        """Return the pooling of each feature."""
        return [getattr(self, f"pool_{i}") for i in range(len(self.widths))]

    def build(self, input_shape: Any) -> None:
        """Create the weights of every part for frames [B, T, D]."""
        pooled = 0
        for pool, width in zip(self.pools(), self.widths):
            pool.build((*input_shape[:-1], width))
            pooled += pool.clusters * pool.part
        self.hidden.build((None, pooled))
        for part in (self.hidden_norm, self.gate):
            part.build((None, self.hidden_size))
        self.built = True

    def call(self, x: tf.Tensor, mask: tf.Tensor | None = None, training: Any = None) -> tf.Tensor:
        """Return the gated hidden layer [B, hidden_size]."""
        features = zip(self.pools(), split(x, self.widths))
        pooled = [pool(part, mask=mask, training=training) for pool, part in features]
        v = self.drop(tf.concat(pooled, axis=-1), training=training)
        v = self.hidden_norm(self.hidden(v), training=training)
        return self.gate(v, training=training)
