"""A frozen mixture by blocks of classes: its probabilities, or the loss and the gradient behind it.

A frozen head needs no gradient of its own, and a loss that is a sum over classes gives each class's
share of ∂L/∂v at once: logits, probabilities, their gradient and its product with the kernel, after
which the next block of classes may use the same memory. So a step holds the logits of one block,
however many classes and experts there are, and takes two products a kernel. Differentiating the
whole head takes four where its logits are computed again, or holds all of them.

The kernels are arguments, so that processes of a node can read one copy of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from yt8m.compat import tf_variable
from yt8m.layers.heads.grouped_mixture_of_experts import GroupedMixtureOfExperts
from yt8m.layers.heads.mixture_math import (
    by_class,
    by_class_gradient,
    by_state,
    by_state_gradient,
)
from yt8m.layers.heads.mixture_of_experts import MixtureOfExperts
from yt8m.losses import registry as losses

BLOCK_LOGITS = 4 << 20  # the most logits of a block for one batch; passes take a few times that
BLOCK_WEIGHTS = 16 << 20  # the most weights of both kernels of a block


class Part(NamedTuple):
    """The classes of one mixture, and whether its kernels are [D, classes, states]."""

    classes: tuple[int, ...]
    class_major: bool


@dataclasses.dataclass(frozen=True)
class FrozenHead:
    """A mixture of experts that keeps its weights, as plain data for the workers.

    Attributes:
      num_classes: K.
      parts: the mixtures that the head consists of; a class in none of them has probability 0.
      dtype: the type of the matrix products.
    """

    num_classes: int
    parts: tuple[Part, ...]
    dtype: str

    @classmethod
    def of(cls, head: Any, loss: str) -> FrozenHead | None:
        """Return the description of a built head, or None if it cannot be computed by blocks.

        Args:
          head: a layer; a mixture of experts whose probabilities are sigmoids can be.
          loss: the name of a loss; one that is a sum over classes can be.
        """
        mixtures = _mixtures(head)
        if not mixtures or any(m.activation != "sigmoid" for m in mixtures):
            return None
        if not losses.sums_over_classes(loss):
            return None
        groups = getattr(head, "groups", None) or [{"classes": range(head.num_classes)}]
        parts = (
            Part(tuple(int(c) for c in group["classes"]), bool(mixture.class_major))
            for group, mixture in zip(groups, mixtures)
        )
        return cls(head.num_classes, tuple(parts), str(head.compute_dtype))

    def loss_and_gradient(
        self,
        loss: losses.Loss,
        v: tf.Tensor,
        labels: tf.Tensor,
        weights: tf.Tensor | None,
        arrays: Sequence[tf.Tensor],
        rows: int,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the loss of each video [B], and the gradient [B, W] of their sum for v.

        Args:
          loss: a sum over classes.
          v: the head's input [B, W].
          labels: multi-hot [B, K].
          weights: one for each label [B, K], or None.
          arrays: the values of `head_variables`, in that order.
          rows: the largest B, which decides how many classes make a block.
        """
        x = tf.cast(v, self.dtype)
        each, to_x = tf.zeros_like(v[:, 0], tf.float32), tf.zeros_like(v, tf.float32)
        for classes, class_major, kernels in self._blocks(arrays, rows):
            # One block follows another; a graph would otherwise begin all of them. The copy of x
            # waits too, where a product of constants would not.
            with tf.control_dependencies([each, to_x]):
                x_now = tf.identity(x)
                terms, gradient = _block(
                    loss,
                    x_now,
                    _columns(labels, classes),
                    None if weights is None else _columns(weights, classes),
                    [read() for read in kernels],
                    class_major,
                )
                each, to_x = each + terms, to_x + gradient
        rest = sorted(set(range(self.num_classes)).difference(*(p.classes for p in self.parts)))
        if rest:
            y = _columns(labels, rest)
            w = None if weights is None else _columns(weights, rest)
            each += loss(y, tf.zeros_like(y, tf.float32), w)
        return each, tf.cast(to_x, v.dtype)

    def probabilities(self, v: tf.Tensor, arrays: Sequence[tf.Tensor], rows: int) -> tf.Tensor:
        """Return the probabilities, float32 [B, K]; the arguments are those of the loss."""
        x = tf.cast(v, self.dtype)
        found: list[tf.Tensor] = []
        for _, class_major, kernels in self._blocks(arrays, rows):
            with tf.control_dependencies(found[-1:]):
                mixed = _mixed(tf.identity(x), [read() for read in kernels], class_major)
                found.append(mixed.p)
        order = np.asarray([c for part in self.parts for c in part.classes], np.int32)
        p = tf.concat(found, axis=1)
        if np.array_equal(order, np.arange(self.num_classes)):
            return p
        place = np.full(self.num_classes, len(order), np.int32)  # of a column of zeros
        place[order] = np.arange(len(order))
        return tf.gather(tf.pad(p, [[0, 0], [0, 1]]), place, axis=1)

    def _blocks(
        self, arrays: Sequence[tf.Tensor], rows: int
    ) -> Iterator[tuple[Sequence[int], bool, list[Any]]]:
        """Yield (classes, class-major, functions that slice gates, experts and bias)."""
        for i, part in enumerate(self.parts):
            own = arrays[3 * i : 3 * i + 3]
            states = sum(int(a.shape[2 if part.class_major else 1]) for a in own[:2])
            width = int(own[0].shape[0])
            most = max(1, min(BLOCK_LOGITS // rows, BLOCK_WEIGHTS // width) // states)
            for start in range(0, len(part.classes), most):
                span = slice(start, start + most)
                yield part.classes[span], part.class_major, _sliced(own, span, part.class_major)


def _sliced(arrays: Sequence[tf.Tensor], span: slice, class_major: bool) -> list[Any]:
    axes = (1, 1, 0) if class_major else (2, 2, 1)
    return [
        lambda a=array, axis=axis: tf.convert_to_tensor(a)[(slice(None),) * axis + (span,)]
        for array, axis in zip(arrays, axes)
    ]


def _mixtures(head: Any) -> list[MixtureOfExperts]:
    if isinstance(head, GroupedMixtureOfExperts):
        return head.mixtures
    return [head] if isinstance(head, MixtureOfExperts) else []


def head_variables(head: Any) -> list[Any]:
    """Return the gates, the experts and the bias (zeros if there is none) of each mixture."""
    found: list[Any] = []
    for mixture in _mixtures(head):
        gates, experts = tf_variable(mixture.gates), tf_variable(mixture.experts)
        bias = tf_variable(mixture.bias) if mixture.expert_bias else tf.zeros(experts.shape[1:])
        found += [gates, experts, bias]
    return found


def _columns(matrix: tf.Tensor, classes: Sequence[int]) -> tf.Tensor:
    first, last = classes[0], classes[-1]
    if list(classes) == list(range(first, last + 1)):
        return matrix[:, first : last + 1]
    return tf.gather(matrix, np.asarray(classes, np.int32), axis=1)


class _Mixed(NamedTuple):
    """The probabilities of a block [B, c], and what their gradient needs."""

    p: tf.Tensor
    kept: Any
    flat: list[tf.Tensor]  # kernels [W, c · states]
    sides: list[tuple[int, ...]]  # the last two dimensions of their logits


def _mixed(x: tf.Tensor, kernels: Sequence[tf.Tensor], class_major: bool) -> _Mixed:
    gates, experts, bias = kernels
    sides = [tuple(kernel.shape[1:]) for kernel in (gates, experts)]
    flat = [tf.cast(tf.reshape(k, [k.shape[0], -1]), x.dtype) for k in (gates, experts)]
    logits = [
        tf.reshape(tf.cast(tf.matmul(x, kernel), tf.float32), [-1, *side])
        for kernel, side in zip(flat, sides)
    ]
    mix = by_class if class_major else by_state
    return _Mixed(*mix(logits[0], logits[1] + tf.cast(bias, tf.float32), True), flat, sides)


def _block(
    loss: losses.Loss,
    x: tf.Tensor,
    labels: tf.Tensor,
    weights: tf.Tensor | None,
    kernels: Sequence[tf.Tensor],
    class_major: bool,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return (loss of each video [B], gradient [B, W] of their sum) of a block of classes."""
    p, kept, flat, sides = _mixed(x, kernels, class_major)
    with tf.GradientTape() as tape:
        tape.watch(p)
        each = loss(labels, p, weights)
    differentiate = by_class_gradient if class_major else by_state_gradient
    to_logits = differentiate(tape.gradient(each, p), kept, True)
    gradient = [
        tf.matmul(
            tf.cast(tf.reshape(d, [-1, side[0] * side[1]]), x.dtype), kernel, transpose_b=True
        )
        for d, side, kernel in zip(to_logits, sides, flat)
    ]
    return each, tf.cast(gradient[0], tf.float32) + tf.cast(gradient[1], tf.float32)
