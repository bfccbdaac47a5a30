"""The trunk of a model: the weights that do not depend on its classes, and can serve others.

Which ones these are is seen from a second model with another number of classes. A layer whose own
weights have the same shapes in both is the trunk's. The head consists of the other layers with all
of their weights, because the bias of a layer that reads classes, or the count of steps of one that
normalizes them, is worth nothing without its other weights.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from yt8m.compat import tf_variable
from yt8m.errors import UserError
from yt8m.models.core.weight_transfer import learnt_weights_of, weights_by_layer, weights_of

if TYPE_CHECKING:
    from yt8m.models.core.base import Yt8mModel

Shapes = tuple[tuple[tuple[int, ...], ...], ...]  # those of the weights of each layer


class Trunk:
    """The weights of a model, divided into trunk and head.

    Args:
      model: a built model.

    Attributes:
      is_trunk: for each of `weights_of` the model, whether it is the trunk's.

    Raises:
      UserError: the model cannot be divided.
    """

    def __init__(self, model: Yt8mModel):
        self._model, self._weights = model, weights_of(model)
        shapes, reason = _shapes(model), "their number depends on that of the classes"
        try:
            others = _shapes_for_other_classes(model.from_config, json.dumps(model.get_config()))
        except ValueError as error:
            others, reason = (), str(error)
        if [len(layer) for layer in shapes] != [len(layer) for layer in others]:
            raise UserError(
                f"--init_from: which weights of this {type(model).__name__} depend on the classes"
                f" cannot be found ({reason}), so that it can start only from a run with the same"
                " classes."
            )
        self.is_trunk = [a == b for a, b in zip(shapes, others) for _ in a]

    def check_divides(self) -> None:
        """Refuse a model in which every weight depends on the classes.

        Raises:
          UserError: there is no trunk.
        """
        # Without the statistics by which a model standardizes its inputs.
        learnt = {id(w) for w in learnt_weights_of(self._model)}
        if not any(id(w) in learnt for w in self.weights()):
            raise UserError(
                f"--init_from: every layer of {type(self._model).__name__} that learns depends"
                " on the classes, so that none can be taken over to others. Drop the flag, or"
                " choose a model with layers below its head, such as VideoDbofBasic for videos and"
                " AttnVLAD for frames."
            )

    def freeze(self) -> None:
        """Make the layers of the trunk untrainable.

        A batch normalization among them then uses its moving statistics in training, too.

        Raises:
          UserError: no weight depends on the classes, or every one does.
        """
        self.check_divides()
        if all(self.is_trunk):
            raise UserError(
                f"--freeze_trunk: no layer of {type(self._model).__name__} depends on the classes,"
                " so that none would be trained; drop the flag."
            )
        head = {id(w) for w in self.weights(head=True)}
        for layer in self._model._flatten_layers(include_self=False):
            weights = weights_of(layer)
            if weights and not any(id(w) in head for w in weights):
                layer.trainable = False

    @contextlib.contextmanager
    def keeping_head(self) -> Iterator[None]:
        """Let nothing that happens within this context change the weights of the head."""
        head = [tf_variable(w) for w in self.weights(head=True)]
        before = [tf.identity(w) for w in head]
        yield
        for weight, value in zip(head, before):
            weight.assign(value)

    def described(self, head: bool = False) -> str:
        """Return the size and layers of the trunk, or the head: "1,024 weights (embed, pools)"."""
        part = self.weights(head)
        chosen = {id(w) for w in part}
        names = [
            name
            for name, layers in _attributes(self._model)
            if any(id(w) in chosen for layer in layers for w in weights_of(layer))
        ]
        return f"{sum(int(tf.size(w)) for w in part):,} weights ({', '.join(names)})"

    def weights(self, head: bool = False) -> list[Any]:
        """Return the weights of the trunk, or those of the head."""
        return [w for w, is_trunk in zip(self._weights, self.is_trunk) if is_trunk != head]


def _attributes(model: Yt8mModel) -> Iterator[tuple[str, list[tf.keras.layers.Layer]]]:
    """Yield the name and the layers of each attribute of a model that is a layer or has some."""
    for name, value in vars(model).items():
        values = value if isinstance(value, (list, tuple)) else [value]
        layers = [v for v in values if isinstance(v, tf.keras.layers.Layer)]
        if layers and not name.startswith("_"):
            yield name, layers


def _shapes(model: Yt8mModel) -> Shapes:
    return tuple(tuple(tuple(w.shape) for w in own) for own in weights_by_layer(model))


@functools.lru_cache(maxsize=4)
def _shapes_for_other_classes(make: Callable[[dict[str, Any]], Yt8mModel], config: str) -> Shapes:
    """Return the shapes of the weights of a model like this one for another number of classes.

    Args:
      make: returns a model, given its constructor arguments.
      config: the constructor arguments of this one, as JSON.

    Raises:
      ValueError: with its other arguments, the model works only for its own number of classes.
    """
    arguments = json.loads(config)
    classes = arguments["num_classes"]
    # Far from the number itself, so that no group of classes stays the same.
    arguments["num_classes"] = 2 * classes + 1 if classes < 100 else classes // 2
    return _shapes(make(arguments).build_weights())
