"""The heads that a frame-level model can choose from, by name."""

from __future__ import annotations

import tensorflow as tf

from yt8m.layers.logistic_head import LogisticHead
from yt8m.layers.mixture_of_experts import MixtureOfExperts

MOE = ("moe", "MoeModel")
LOGISTIC = ("logistic", "LogisticModel")
SOFTMAX = ("softmax",)


def make_head(head: str, num_classes: int, num_mixtures: int, initial: str) -> tf.keras.layers.Layer:
    """Return the head called `head`: "moe", "logistic" or "softmax", or the starter code's name of the first two.

    Raises:
      ValueError: another name.
    """
    if head in MOE:
        return MixtureOfExperts(num_classes, num_mixtures, initial=initial, name="head")
    if head in LOGISTIC:
        return LogisticHead(num_classes, initial=initial, name="head")
    if head in SOFTMAX:
        return LogisticHead(num_classes, initial=initial, activation="softmax", name="head")
    raise ValueError(f"head is one of {', '.join(MOE + LOGISTIC + SOFTMAX)}, not {head!r}")
