"""Mixtures of experts over disjoint groups of classes, each group with its own number of experts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.layers.heads.mixture_of_experts import MixtureOfExperts


@tf.keras.utils.register_keras_serializable(package="yt8m")
class GroupedMixtureOfExperts(tf.keras.layers.Layer):
    """One `MixtureOfExperts` a group, side by side, with the classes back in label order.

    Source: UTS' parallel MoE (spec C.2) with equal k; the KDD paper's adaptive MoE (eq. 4, spec D.4)
    with k by class. Classes share nothing, so this is what one mixture would compute, and a class of
    one expert costs what one expert costs.

    Args:
      num_classes: K.
      groups: `{"classes": [label, ...], "num_mixtures": k}` each; disjoint. A class in none of them is
        never predicted: its probability is 0.
      dummy_expert, expert_bias, l2, initial: as in `MixtureOfExperts`.

    Input [B, D]; output [B, K] float32.

    Raises:
      ValueError: a class is in two groups, or is not one of the K.
    """

    def __init__(
        self,
        num_classes: int,
        groups: Sequence[dict[str, Any]],
        dummy_expert: bool = True,
        expert_bias: bool = True,
        l2: float = 1e-8,
        initial: str = "priors",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_classes = int(num_classes)
        self.dummy_expert, self.expert_bias, self.l2, self.initial = (
            dummy_expert,
            expert_bias,
            l2,
            initial,
        )
        self._groups = _Plain(
            [
                {"classes": [int(c) for c in g["classes"]], "num_mixtures": int(g["num_mixtures"])}
                for g in groups
            ]
        )
        # The order in which the groups give the classes, and where in it each class then is; C is nowhere.
        self._order = np.asarray([c for g in self._groups.value for c in g["classes"]], np.int32)
        self._place = np.full(self.num_classes, len(self._order), np.int32)
        if (
            not len(self._order)
            or len(np.unique(self._order)) < len(self._order)
            or not 0 <= self._order.min() <= self._order.max() < num_classes
        ):
            raise ValueError(
                f"groups must be disjoint, not all empty, and of classes from 0 to {num_classes - 1}"
            )
        self._place[self._order] = np.arange(len(self._order))
        for i, group in enumerate(self._groups.value):
            options = dict(
                dummy_expert=dummy_expert, expert_bias=expert_bias, l2=l2, initial=initial
            )
            mixture = MixtureOfExperts(
                len(group["classes"]), group["num_mixtures"], name=f"group_{i}", **options
            )
            setattr(
                self, f"group_{i}", mixture
            )  # by attribute, which is what weight files name it by

    def __dir__(self) -> list[str]:
        """Every attribute but the lists of layers, so that either Keras names a group in a weight file by its own attribute."""
        return [
            name
            for name in super().__dir__()
            if name not in ("mixtures", "_layers", "_self_tracked_trackables")
        ]

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The groups, as given."""
        return self._groups.value

    @property
    def mixtures(self) -> list[MixtureOfExperts]:
        """The mixture of each group."""
        return [getattr(self, f"group_{i}") for i in range(len(self.groups))]

    @property
    def covered_classes(self) -> list[int]:
        """Sorted labels of all groups."""
        return sorted(int(c) for c in self._order)

    def build(self, input_shape: Any) -> None:
        """Make the kernels for inputs [B, D]."""
        for mixture in self.mixtures:
            if not mixture.built:
                mixture.build(input_shape)
        self.built = True

    def initialize_from_priors(self, priors: np.ndarray) -> None:
        """Start every group's experts at its classes' part of the label frequencies [K]."""
        for group, mixture in zip(self.groups, self.mixtures):
            mixture.initialize_from_priors(np.asarray(priors)[group["classes"]])

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return probabilities [B, K]."""
        parts: list[tf.Tensor] = []
        for mixture in self.mixtures:
            with tf.control_dependencies(
                parts[-1:]
            ):  # one group at a time, so that a graph holds the logits of one
                parts.append(mixture(x))
        p = parts[0] if len(parts) == 1 else tf.concat(parts, axis=1)  # [B, C]
        return (
            p
            if np.array_equal(self._order, np.arange(self.num_classes))
            else self._in_label_order(p)
        )

    def _in_label_order(self, p: tf.Tensor) -> tf.Tensor:
        """Return [B, K] of [B, C]. The gradient of moving columns is moving them back, and not a scatter."""

        @tf.custom_gradient
        def move(p: tf.Tensor) -> tuple[tf.Tensor, Any]:
            with_zero = tf.pad(p, [[0, 0], [0, 1]])
            return tf.gather(with_zero, self._place, axis=1), lambda d: tf.gather(
                d, self._order, axis=1
            )

        return move(p)

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        names = ("num_classes", "groups", "dummy_expert", "expert_bias", "l2", "initial")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class _Plain:
    """Keeps a list from Keras, which would wrap and track it."""

    def __init__(self, value: list[dict[str, Any]]):
        self.value = value
