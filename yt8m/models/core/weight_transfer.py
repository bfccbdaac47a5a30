"""Copying of weights between layers or models of the same structure, frozen or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from yt8m.errors import UserError

# Where a layer keeps its own weights, in Keras 2 and in Keras 3.
_LEARNT = ("_trainable_weights", "_trainable_variables")
_NOT_LEARNT = ("_non_trainable_weights", "_non_trainable_variables")


def weights_of(layer: tf.keras.layers.Layer) -> list[Any]:
    """Return every weight of a layer and its sublayers, in an order that freezing does not change.

    `layer.weights` of Keras 2 lists trainable weights first, so a frozen layer and an equal one
    that is not frozen have different orders.
    """
    return [w for weights in weights_by_layer(layer) for w in weights]


def weights_by_layer(layer: tf.keras.layers.Layer) -> list[list[Any]]:
    """Return the weights of `weights_of`, with those that one sublayer itself owns as one list."""
    found: list[list[Any]] = []
    seen: set[int] = set()
    for part in layer._flatten_layers():
        own: list[Any] = []
        for weight in (w for name in (*_LEARNT, *_NOT_LEARNT) for w in vars(part).get(name) or []):
            if id(weight) not in seen:
                seen.add(id(weight))
                own.append(weight)
        found += [own] if own else []
    return found


def learnt_weights_of(layer: tf.keras.layers.Layer) -> list[Any]:
    """Return the weights of `weights_of` that training changes by gradients, unless frozen."""
    parts = layer._flatten_layers()
    return [w for part in parts for name in _LEARNT for w in vars(part).get(name) or []]


def copy_weights(
    source: tf.keras.layers.Layer,
    target: tf.keras.layers.Layer,
    there: str,
    here: str,
    differing: str = "",
) -> None:
    """Copy the weights of `source` to `target`; both are built.

    Args:
      source: layer or model to copy from.
      target: layer or model of the same class.
      there: description of the source, for the message.
      here: description of the target, for the message.
      differing: constructor arguments that differ, for the message.

    Raises:
      UserError: their weights do not have the same shapes.
    """
    copy_values(weights_of(source), weights_of(target), there, here, differing)


def copy_values(
    old: Sequence[Any], new: Sequence[Any], there: str, here: str, differing: str = ""
) -> None:
    """Copy the values of the weights `old` to the weights `new`; see `copy_weights`.

    Raises:
      UserError: they do not have the same shapes.
    """
    shapes = [[tuple(w.shape) for w in weights] for weights in (old, new)]
    if shapes[0] != shapes[1]:
        pairs = [f"{a} there, {b} here" for a, b in zip(*shapes) if a != b]
        first = (pairs or [f"{len(old)} there, {len(new)} here"])[0]
        raise UserError(
            f"--init_from: {there} does not match {here}: their weights differ"
            f" ({first}).{_remedy(differing)}"
        )
    for a, b in zip(old, new):
        b.assign(a)


def check_arguments(source: Any, target: Any, names: Sequence[str] | Mapping[str, str]) -> None:
    """Refuse to copy parts of a model whose constructor arguments do not match.

    Args:
      source: model to copy from.
      target: model to copy to.
      names: arguments that must be equal; a mapping gives the argument of `target` for each one of
        `source`.

    Raises:
      UserError: some differ; the message lists each difference.
    """
    pairs = names if isinstance(names, Mapping) else {name: name for name in names}
    old, new = source.get_config(), target.get_config()
    wrong = [
        f"{a} {old[a]!r} there and {b + ' ' if a != b else ''}{new[b]!r} here"
        for a, b in pairs.items()
        if old[a] != new[b]
    ]
    if wrong:
        raise UserError(
            f"--init_from: the {type(source).__name__} in that run does not match this"
            f" {type(target).__name__}.{_remedy('; '.join(wrong))}"
        )


def _remedy(differing: str) -> str:
    if not differing:
        return ""
    return f" What differs: {differing}. Set each with --model_option=NAME=VALUE."
