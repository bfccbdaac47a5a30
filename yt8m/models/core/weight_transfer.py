"""Weights from one layer or model into another of the same build, whichever of the two is frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from yt8m.errors import UserError


def weights_of(layer: tf.keras.layers.Layer) -> list[Any]:
    """Return every weight of a layer and of the layers in it, in an order that does not depend on what is trainable.

    Keras 2 lists trainable weights first in `layer.weights`, so that of two equal layers a frozen one lists them otherwise.
    """
    found: list[Any] = []
    for part in layer._flatten_layers():
        for kind in ("weights", "variables"):  # Keras 2, Keras 3
            for name in (f"_trainable_{kind}", f"_non_trainable_{kind}"):
                own = vars(part).get(name) or []
                found += [w for w in own if not any(w is other for other in found)]
    return found


def copy_weights(
    source: tf.keras.layers.Layer,
    target: tf.keras.layers.Layer,
    there: str,
    here: str,
    differing: str = "",
) -> None:
    """Give `target` the weights of `source`; both are built.

    Args:
      source, target: of the same class.
      there, here: what they are, for the message.
      differing: constructor arguments that differ, for the message.

    Raises:
      UserError: their weights do not have the same shapes.
    """
    old, new = weights_of(source), weights_of(target)
    shapes = [[tuple(w.shape) for w in weights] for weights in (old, new)]
    if shapes[0] != shapes[1]:
        first = next(
            (f"{a} there, {b} here" for a, b in zip(*shapes) if a != b),
            f"{len(old)} there, {len(new)} here",
        )
        raise UserError(
            f"--init_from: {there} does not fit {here}: their weights differ ({first}).{_mend(differing)}"
        )
    for a, b in zip(old, new):
        b.assign(a)


def check_arguments(source: Any, target: Any, names: Sequence[str] | Mapping[str, str]) -> None:
    """Refuse another model whose constructor arguments differ where parts of it are to be taken.

    Args:
      source, target: models.
      names: arguments that must be equal; or argument of `source` -> of `target`, where they are called otherwise.

    Raises:
      UserError: shows each difference.
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
            f"--init_from: the {type(source).__name__} there does not fit this {type(target).__name__}.{_mend('; '.join(wrong))}"
        )


def _mend(differing: str) -> str:
    return f" What differs: {differing}; --model_option=NAME=VALUE sets each." if differing else ""
