"""Models whose head is an option."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.layers.heads import by_name
from yt8m.layers.heads.grouped_mixture_of_experts import Group
from yt8m.layers.heads.prior_logits import Initial
from yt8m.models.core.base import Yt8mModel


class ChosenHead(Yt8mModel):
    """A mixin for models that end in one of several heads; list it before the base class.

    Args:
      head: "moe" (a mixture of experts), "logistic" or "softmax".
      num_mixtures: number of experts of each class, for head="moe".
      initial: "priors" lets `initialize_from_priors` start the head at the label frequencies;
        "zeros" starts its biases at zero, as the starter code does.
    """

    def __init__(
        self,
        num_classes: int,
        feature_sizes: Sequence[int] = (1024, 128),
        head: by_name.HeadName = "moe",
        num_mixtures: int = 2,
        initial: Initial = "priors",
        **kwargs: Any,
    ):
        super().__init__(num_classes, feature_sizes, **kwargs)
        self.head_name, self.num_mixtures, self.initial = head, num_mixtures, initial

    def make_head(
        self, groups: Sequence[Group] | None = None, l2: float = 1e-8
    ) -> tf.keras.layers.Layer:
        """Return a new head; a model calls this after it has made its other layers.

        Args:
          groups: classes with their own number of experts; see `yt8m.layers.heads.by_name`.
          l2: weight of Σw²/2 of its kernels.
        """
        return by_name.make_head(
            self.head_name, self.num_classes, self.num_mixtures, self.initial, groups, l2
        )
