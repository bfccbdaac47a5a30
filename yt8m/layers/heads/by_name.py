"""The heads that a model can choose from, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import tensorflow as tf

from yt8m.errors import one_of
from yt8m.layers.heads.grouped_mixture_of_experts import Group, GroupedMixtureOfExperts
from yt8m.layers.heads.logistic_head import Activation, LogisticHead
from yt8m.layers.heads.mixture_of_experts import MixtureOfExperts
from yt8m.layers.heads.prior_logits import Initial

# "MoeModel" and "LogisticModel" are the starter code's names of the first two.
HeadName = Literal["moe", "MoeModel", "logistic", "LogisticModel", "softmax"]


def make_head(
    head: HeadName,
    num_classes: int,
    num_mixtures: int,
    initial: Initial,
    groups: Sequence[Group] | None = None,
    l2: float = 1e-8,
) -> tf.keras.layers.Layer:
    """Return the head with a given name.

    Args:
      head: "moe", "logistic" or "softmax", or the starter code's name of the first two.
      num_classes: K.
      num_mixtures: experts of each class.
      initial: "priors" or "zeros".
      groups: [{"classes": [...], "num_mixtures": k}, ...] instead of `num_mixtures`, where classes
        differ in their number of experts (KDD eq. 4; docs/sources.md#adaptive-experts).
      l2: weight of Σw²/2 of the kernels.

    Raises:
      ValueError: the name is unknown, or there are groups for a head without experts.
    """
    one_of("head", head, HeadName)
    has_experts = head in ("moe", "MoeModel")
    if groups and not has_experts:
        raise ValueError(
            f"groups set the number of experts of each class, but head={head!r} has no experts"
        )
    if groups:
        return GroupedMixtureOfExperts(num_classes, groups, l2=l2, initial=initial, name="head")
    if has_experts:
        return MixtureOfExperts(num_classes, num_mixtures, l2=l2, initial=initial, name="head")
    activation: Activation = "softmax" if head == "softmax" else "sigmoid"
    return LogisticHead(num_classes, l2, initial, activation, name="head")
