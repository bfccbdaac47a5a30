"""Mixtures of experts over disjoint groups of classes, each with its own number of experts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m.layers.base import Yt8mLayer
from yt8m.layers.heads.mixture_of_experts import MixtureOfExperts
from yt8m.layers.heads.prior_logits import Initial


class Group(TypedDict):
    """Classes with the same number of experts."""

    classes: list[int]
    num_mixtures: int


class GroupedMixtureOfExperts(Yt8mLayer):
    """One `MixtureOfExperts` per group; the outputs are put back in label order.

    Source: UTS' parallel MoE, with equal k (docs/sources.md#parallel-mixture); the KDD paper's
    adaptive MoE, with k by class (eq. 4; docs/sources.md#adaptive-experts). As classes share no
    weights, the result is that of one mixture, and a class with one expert costs no more than one
    expert.

    Args:
      num_classes: K.
      groups: disjoint groups of labels. A class in none of them always has probability 0.
      dummy_expert: see `MixtureOfExperts`.
      expert_bias: see `MixtureOfExperts`.
      l2: see `MixtureOfExperts`.
      initial: see `MixtureOfExperts`.

    Call: x [B, D] -> float32 [B, K].

    Raises:
      ValueError: a class is in two groups or is not one of the K, or all groups are empty.
    """

    def __init__(
        self,
        num_classes: int,
        groups: Sequence[Group],
        dummy_expert: bool = True,
        expert_bias: bool = True,
        l2: float = 1e-8,
        initial: Initial = "priors",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_classes, self._num_groups = int(num_classes), len(groups)
        classes = [[int(c) for c in group["classes"]] for group in groups]
        mixtures = [int(group["num_mixtures"]) for group in groups]
        self.record_arguments(
            groups=[{"classes": c, "num_mixtures": k} for c, k in zip(classes, mixtures)]
        )
        # The C covered classes as the groups list them, and the place of each of the K among these.
        self._order = np.asarray([c for group in classes for c in group], np.int32)
        self._check_order()
        self._place = np.full(self.num_classes, len(self._order), np.int32)  # C is none of them
        self._place[self._order] = np.arange(len(self._order))
        for i, (group, k) in enumerate(zip(classes, mixtures)):
            mixture = MixtureOfExperts(
                num_classes=len(group),
                num_mixtures=k,
                dummy_expert=dummy_expert,
                expert_bias=expert_bias,
                l2=l2,
                initial=initial,
                name=f"group_{i}",
            )
            setattr(self, f"group_{i}", mixture)  # weight files name a mixture by its attribute

    def _check_order(self) -> None:
        order, last = self._order, self.num_classes - 1
        disjoint = len(np.unique(order)) == len(order)
        if not len(order) or not disjoint or order.min() < 0 or order.max() > last:
            raise ValueError(
                f"groups must be disjoint, not all empty, and consist of classes from 0 to {last}"
            )

    def __dir__(self) -> list[str]:
        """Return every attribute except the lists of layers.

        Keras 2 and Keras 3 would otherwise name a group in a weight file after different
        attributes.
        """
        lists = ("mixtures", "_layers", "_self_tracked_trackables")
        return [name for name in super().__dir__() if name not in lists]

    @property
    def groups(self) -> list[Group]:
        """The groups, as given."""
        groups: list[Group] = self.recorded_arguments()["groups"]
        return groups

    @property
    def mixtures(self) -> list[MixtureOfExperts]:
        """The mixture of each group."""
        return [getattr(self, f"group_{i}") for i in range(self._num_groups)]

    @property
    def covered_classes(self) -> list[int]:
        """The sorted labels of all groups."""
        return sorted(int(c) for c in self._order)

    def build(self, input_shape: Any) -> None:
        """Create the kernels for inputs [B, D]."""
        for mixture in self.mixtures:
            if not mixture.built:
                mixture.build(input_shape)
        self.built = True

    def initialize_from_priors(self, priors: NDArray[Any]) -> None:
        """Make each untrained mixture predict the label frequencies [K] of its classes."""
        for group, mixture in zip(self.groups, self.mixtures):
            mixture.initialize_from_priors(np.asarray(priors)[group["classes"]])

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return probabilities [B, K]."""
        parts: list[tf.Tensor] = []
        for mixture in self.mixtures:
            # One group follows another, so that a graph holds the logits of one at a time.
            with tf.control_dependencies(parts[-1:]):
                parts.append(mixture(x))
        p = parts[0] if len(parts) == 1 else tf.concat(parts, axis=1)  # [B, C]
        in_order = np.array_equal(self._order, np.arange(self.num_classes))
        return p if in_order else self._in_label_order(p)

    def _in_label_order(self, p: tf.Tensor) -> tf.Tensor:
        """Return [B, K] for p [B, C]; the gradient moves the columns back, without a scatter."""

        @tf.custom_gradient
        def move(p: tf.Tensor) -> tuple[tf.Tensor, Any]:
            with_zero = tf.pad(p, [[0, 0], [0, 1]])
            moved = tf.gather(with_zero, self._place, axis=1)
            return moved, lambda d: tf.gather(d, self._order, axis=1)

        return move(p)
