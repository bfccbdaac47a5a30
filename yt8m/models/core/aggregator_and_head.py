"""The seam between a model's frame aggregator and its classifier, on which the KDD paper's trainer turns.

Step 2 of that trainer replaces the classifier and step 3 moves the aggregator, so a model that says where the
one ends and the other begins can be trained by it (`--trainer=alternating`).
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.models.core.base import Yt8mModel


class Aggregated:
    """Mixed into a model before its base: p = head(aggregate(inputs)) (KDD §3; spec D.1).

    The model sets `self.head`, takes a constructor argument `groups` (see `yt8m.layers.heads.by_name.make_head`) so that a
    head of any size is its own constructor arguments' doing, and defines `aggregate`.
    """

    head: tf.keras.layers.Layer

    def aggregate(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return the video-level features v [B, W], all that the classifier sees."""
        raise NotImplementedError

    def call(self, inputs: dict[str, tf.Tensor], training: Any = None) -> tf.Tensor:
        """Return probabilities [B, K]."""
        return self.head(self.aggregate(inputs, training=training))


def is_aggregated(model: type[Yt8mModel]) -> bool:
    """Whether a model class has the seam."""
    return issubclass(model, Aggregated)
