"""The heads that a model can choose from, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.heads.grouped_mixture_of_experts import GroupedMixtureOfExperts
from yt8m.layers.heads.logistic_head import LogisticHead
from yt8m.layers.heads.mixture_of_experts import MixtureOfExperts

MOE = ("moe", "MoeModel")
LOGISTIC = ("logistic", "LogisticModel")
SOFTMAX = ("softmax",)


def make_head(
    head: str,
    num_classes: int,
    num_mixtures: int,
    initial: str,
    groups: Sequence[dict[str, Any]] | None = None,
) -> tf.keras.layers.Layer:
    """Return the head called `head`: "moe", "logistic" or "softmax", or the starter code's name of the first two.

    Args:
      head: its name.
      num_classes: K.
      num_mixtures: experts of every class.
      initial: "priors" or "zeros".
      groups: [{"classes": [...], "num_mixtures": k}, ...] where classes differ in their number of experts
        (KDD eq. 4); it takes the place of `num_mixtures`.

    Raises:
      ValueError: another name, or groups for a head without experts.
    """
    if groups and head not in MOE:
        raise ValueError(f"groups give classes their experts, and head={head!r} has none")
    if groups:
        return GroupedMixtureOfExperts(num_classes, groups, initial=initial, name="head")
    if head in MOE:
        return MixtureOfExperts(num_classes, num_mixtures, initial=initial, name="head")
    if head in LOGISTIC:
        return LogisticHead(num_classes, initial=initial, name="head")
    if head in SOFTMAX:
        return LogisticHead(num_classes, initial=initial, activation="softmax", name="head")
    raise ValueError(f"head is one of {', '.join(MOE + LOGISTIC + SOFTMAX)}, not {head!r}")
