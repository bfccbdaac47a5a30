"""Losses by name: `@register` puts one in, `get` finds it; each gives one number an example."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Callable, Dict, List, Optional

import tensorflow as tf

from yt8m.errors import UserError, near_misses

Loss = Callable[[tf.Tensor, tf.Tensor, Optional[tf.Tensor]], tf.Tensor]
_LOSSES: Dict[str, Loss] = {}


def register(name: str) -> Callable[[Loss], Loss]:
    """Decorator: make a function `(labels [B, K], predictions [B, K], weights [B, K] or None) -> [B]` known as `name`."""

    def add(function: Loss) -> Loss:
        _LOSSES[name] = function
        return function

    return add


def list_losses() -> List[str]:
    """Return the sorted names."""
    package = importlib.import_module("yt8m.losses")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"yt8m.losses.{module.name}")
    return sorted(_LOSSES)


def get(name: str) -> Loss:
    """Return the loss called `name`; a `UserError` names near misses."""
    known = list_losses()
    if name not in _LOSSES:
        raise UserError(f"--label_loss={name} is not known: {', '.join(known)}.{near_misses(name, known)}")
    return _LOSSES[name]


def total(each: tf.Tensor, weights: Optional[tf.Tensor]) -> tf.Tensor:
    """Return the sum over classes [B] of a loss [B, K], each class weighted where weights are given."""
    if weights is not None:
        each = each * tf.cast(weights, each.dtype)
    return tf.reduce_sum(each, axis=-1)
