"""Losses by name: a file in this folder adds one with `@register`, and `get` finds it."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Callable, Optional

import tensorflow as tf

from yt8m.errors import UserError, near_misses

# (labels [B, K], predictions [B, K], weights [B, K] or None) -> loss of each example, float32 [B]
Loss = Callable[[tf.Tensor, tf.Tensor, Optional[tf.Tensor]], tf.Tensor]


@dataclass(frozen=True)
class _Entry:
    function: Loss
    needs_softmax: bool
    sums_over_classes: bool
    note: str


_LOSSES: dict[str, _Entry] = {}


def register(
    name: str, *, needs_softmax: bool = False, sums_over_classes: bool = False, note: str = ""
) -> Callable[[Loss], Loss]:
    """Return a decorator that registers a loss.

    Args:
      name: the value of `--label_loss`.
      needs_softmax: whether the predictions must sum to one over the classes.
      sums_over_classes: whether the loss is a sum of terms of one class each, so that classes can
        be trained separately.
      note: a few words for `--list_losses`.

    Raises:
      ValueError: another loss has the name.
    """

    def add(function: Loss) -> Loss:
        other = _LOSSES.get(name)
        if other is not None and other.function.__module__ != function.__module__:
            raise ValueError(
                f"two losses are registered as {name}: one in {other.function.__module__} and one"
                f" in {function.__module__}"
            )
        _LOSSES[name] = _Entry(function, needs_softmax, sums_over_classes, note)
        return function

    return add


def list_losses() -> list[str]:
    """Return the names of all losses in this folder, sorted."""
    package = importlib.import_module("yt8m.losses")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"yt8m.losses.{module.name}")
    return sorted(_LOSSES)


def describe_losses() -> str:
    """Return all names with their notes, one per line, for `--list_losses`."""
    notes = {name: _LOSSES[name].note for name in list_losses()}
    return "\n".join(f"{name} ({note})" if note else name for name, note in notes.items())


def get(name: str) -> Loss:
    """Return the loss with a given name.

    Raises:
      UserError: there is none; the message lists the names and suggests similar ones.
    """
    return _entry(name).function


def sums_over_classes(name: str) -> bool:
    """Return whether a loss is a sum of terms that each depend on one class."""
    return _entry(name).sums_over_classes


def is_sum_over_classes(loss: Loss) -> bool:
    """Return whether a function is a registered loss with a term for each class."""
    return any(entry.function is loss and entry.sums_over_classes for entry in _LOSSES.values())


def check_output(name: str, sums_to_one: bool, model: str) -> None:
    """Refuse a loss on softmax probabilities for a model with other probabilities.

    Args:
      name: name of the loss.
      sums_to_one: whether the model's probabilities are a softmax over the classes.
      model: name of the model.

    Raises:
      UserError: the model has no softmax; the message names the option that gives it one.
    """
    if _entry(name).needs_softmax and not sums_to_one:
        raise UserError(
            f"--label_loss={name} needs probabilities that sum to one over the classes, but"
            f" --model={model} with these options predicts each class independently. Set"
            " --model_option=activation=softmax (LogisticModel, FrameLevelLogisticModel) or"
            " --model_option=head=softmax (models with the option head), or another loss; a"
            " mixture of experts has no softmax."
        )


def check_by_class(name: str) -> None:
    """Refuse a loss that couples classes, for a trainer that trains them separately.

    Args:
      name: name of the loss.

    Raises:
      UserError: the loss is not a sum over classes; the message lists those that are.
    """
    if not sums_over_classes(name):
        usable = [other for other in list_losses() if sums_over_classes(other)]
        raise UserError(
            f"--label_loss={name} is not a sum over classes, but this trainer trains classes"
            f" separately; choose one of {', '.join(usable)}."
        )


def _entry(name: str) -> _Entry:
    known = list_losses()
    if name not in _LOSSES:
        raise UserError(
            f"--label_loss={name} is not a known loss; expected one of {', '.join(known)}."
            f"{near_misses(name, known)}"
        )
    return _LOSSES[name]


def probability_of_label(labels: tf.Tensor, predictions: tf.Tensor) -> tf.Tensor:
    """Return p where the label is 1 and 1 − p where it is 0, float32 [B, K].

    A cross-entropy then needs one logarithm instead of two. The result is never below 0: the shares
    of a mixture sum to one up to rounding, so p may exceed one by an ulp, and 1 − p has no
    logarithm.
    """
    y = tf.cast(labels, tf.float32)
    return tf.maximum((1.0 - y) + (2.0 * y - 1.0) * tf.cast(predictions, tf.float32), 0.0)


def labels_as_distribution(labels: tf.Tensor) -> tf.Tensor:
    """Return ŷ = y / max(Σy, 1e−7), float32 [B, K]: labels spread evenly over a video's classes."""
    y = tf.cast(labels, tf.float32)
    return y / tf.maximum(tf.reduce_sum(y, axis=-1, keepdims=True), 1e-7)


def total(each: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
    """Return the sum [B] over the classes of `each` [B, K], times the weights [B, K] if any."""
    if weights is not None:
        each = each * tf.cast(weights, each.dtype)
    return tf.reduce_sum(each, axis=-1)
