"""Models that declare where their aggregator ends and their classifier begins.

Step 2 of the KDD paper's trainer (`--trainer=alternating`) replaces the classifier, and step 3
trains only the aggregator. Only a model of this kind can be trained that way.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf


class AggregatorAndHead:
    """A mixin for models with p = head(aggregate(inputs)).

    Source: KDD §3; docs/sources.md#frame-aggregator.

    List it before the base class. The model sets `self.head`, defines `aggregate`, and takes a
    constructor argument `groups` (see `yt8m.layers.heads.by_name.make_head`), so that a model whose
    head was replaced can be recreated from its constructor arguments.
    """

    head: tf.keras.layers.Layer

    def aggregate(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return the video-level features v [B, W], which are all that the head sees."""
        raise NotImplementedError

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        return self.head(self.aggregate(inputs, training=training))
