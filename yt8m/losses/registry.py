"""Losses by name: `@register` puts one in, `get` makes one; files of this folder are found, not listed."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any, Callable, Dict, List, Optional, Type, TypeVar

import tensorflow as tf

from yt8m.errors import UserError, near_misses


class Loss:
    """Loss of each video: `loss(labels [B, K], predictions [B, K], weights=None) -> float32 [B]`.

    `labels` are multi-hot (bool or integer) or scores in [0, 1]; `weights` [B, K] multiply each class's
    term before the sum over classes. The caller averages over videos. Also a plain Keras loss for `fit`.
    """

    def __call__(self, labels: Any, predictions: Any, weights: Optional[Any] = None) -> tf.Tensor:
        """Return the loss of each video, [B], float32."""
        raise NotImplementedError


_LOSSES: Dict[str, Type[Loss]] = {}
_ALIASES: Dict[str, str] = {}
_L = TypeVar("_L", bound=Type[Loss])


def register(name: str, *aliases: str) -> Callable[[_L], _L]:
    """Class decorator: make the loss known as `name`, and under each alias."""

    def add(cls: _L) -> _L:
        for key in (name, *aliases):
            if key in _LOSSES or key in _ALIASES:
                raise ValueError(f"two losses are registered as {key}")
        _LOSSES[name] = cls
        _ALIASES.update({alias: name for alias in aliases})
        return cls

    return add


def _import_all() -> None:
    package = importlib.import_module("yt8m.losses")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"yt8m.losses.{module.name}")


def get(name: str, **arguments: Any) -> Loss:
    """Make the loss registered as `name` or under an alias; a `UserError` names near misses."""
    _import_all()
    known = _ALIASES.get(name, name)
    if known not in _LOSSES:
        near = near_misses(name, list(_LOSSES) + list(_ALIASES))
        raise UserError(f"--label_loss={name} is not a known loss.{near} Known losses: {', '.join(list_losses())}.")
    return _LOSSES[known](**arguments)


def list_losses() -> List[str]:
    """Return the sorted names, without aliases."""
    _import_all()
    return sorted(_LOSSES)


def sum_over_classes(terms: tf.Tensor, weights: Optional[Any] = None) -> tf.Tensor:
    """Return the sum of the terms [B, K] over classes, each multiplied by its weight where weights are given."""
    if weights is not None:
        terms = terms * tf.cast(weights, tf.float32)
    return tf.reduce_sum(terms, axis=-1)  # [B]
