"""Losses by name: `@register` puts one in, `get` finds it; each gives one number an example."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Callable, Optional

import tensorflow as tf

from yt8m.errors import UserError, near_misses

Loss = Callable[[tf.Tensor, tf.Tensor, Optional[tf.Tensor]], tf.Tensor]
_LOSSES: dict[str, Loss] = {}
_OF_SOFTMAX: set[str] = set()
_BY_CLASS: set[str] = set()


def register(name: str, of_softmax: bool = False, by_class: bool = False) -> Callable[[Loss], Loss]:
    """Decorator: make a function `(labels [B, K], predictions [B, K], weights [B, K] or None) -> [B]` known as `name`.

    Args:
      name: what `--label_loss` calls it.
      of_softmax: it means predictions that sum to one over the classes, and no others.
      by_class: it is a sum of terms of one class each, so that classes may be trained apart.
    """

    def add(function: Loss) -> Loss:
        _LOSSES[name] = function
        if of_softmax:
            _OF_SOFTMAX.add(name)
        if by_class:
            _BY_CLASS.add(name)
        return function

    return add


def list_losses() -> list[str]:
    """Return the sorted names."""
    package = importlib.import_module("yt8m.losses")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"yt8m.losses.{module.name}")
    return sorted(_LOSSES)


def get(name: str) -> Loss:
    """Return the loss called `name`; a `UserError` names near misses."""
    known = list_losses()
    if name not in _LOSSES:
        raise UserError(
            f"--label_loss={name} is not known: {', '.join(known)}.{near_misses(name, known)}"
        )
    return _LOSSES[name]


def check_output(name: str, sums_to_one: bool, model: str) -> None:
    """Refuse a loss of softmax probabilities for a model that gives others.

    Args:
      name: of the loss.
      sums_to_one: whether the model's probabilities are a softmax over the classes.
      model: its name.

    Raises:
      UserError: they are not; the option that mends it is named.
    """
    get(name)
    if name in _OF_SOFTMAX and not sums_to_one:
        raise UserError(
            f"--label_loss={name} takes probabilities that sum to one over the classes, but --model={model} as it is set gives"
            " one for each class by itself. Give --model_option=activation=softmax (LogisticModel, FrameLevelLogisticModel) or"
            " --model_option=head=softmax (models with a head option), or another loss; a mixture of experts has no softmax."
        )


def check_by_class(name: str) -> None:
    """Refuse a loss that couples classes, for those who train them apart.

    Args:
      name: of the loss.

    Raises:
      UserError: it does; the losses that do not are named.
    """
    get(name)
    if name not in _BY_CLASS:
        raise UserError(
            f"--label_loss={name} is not a sum over classes, which are trained apart: {', '.join(sorted(_BY_CLASS))}."
        )


def probability_of_label(labels: tf.Tensor, predictions: tf.Tensor) -> tf.Tensor:
    """Return p where the label is 1 and 1 − p where it is 0, [B, K] float32: one logarithm of it does for both terms of a cross-entropy.

    Never below 0: a mixture's shares sum to one but for rounding, so p may be an ulp above it, whose logarithm is none.
    """
    y = tf.cast(labels, tf.float32)
    return tf.maximum((1.0 - y) + (2.0 * y - 1.0) * tf.cast(predictions, tf.float32), 0.0)


def total(each: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
    """Return the sum over classes [B] of a loss [B, K], each class weighted where weights are given."""
    if weights is not None:
        each = each * tf.cast(weights, each.dtype)
    return tf.reduce_sum(each, axis=-1)
