"""Models by name: listing and creating them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from yt8m.models.core import registry
from yt8m.models.core.base import Yt8mModel


def list_models(pattern: str = "*", task: str | None = "classification") -> list[str]:
    """Return the names of the models, sorted.

    Args:
      pattern: shell-style pattern of names.
      task: "classification", "reconstruction", or None for both.

    Example:
      >>> import yt8m
      >>> "MoeModel" in yt8m.list_models()
      True
      >>> yt8m.list_models("Moe*")
      ['MoeModel']
    """
    return registry.list_models(pattern, task)


def create_model(
    name: str, num_classes: int, feature_sizes: Sequence[int] = (1024, 128), **arguments: Any
) -> Yt8mModel:
    """Return a new Keras model with its weights built.

    Args:
      name: from `list_models`, or an alias.
      num_classes: K.
      feature_sizes: widths of the concatenated features.
      **arguments: of the model's constructor.

    Raises:
      UserError: there is no such model.
      TypeError, ValueError: the model does not take an argument.

    Example:
      >>> import numpy as np
      >>> import yt8m
      >>> model = yt8m.create_model("MoeModel", num_classes=10, feature_sizes=(32, 8))
      >>> model({"video": np.zeros([4, 40], np.float32)}).shape[1]
      10
    """
    created = registry.create(
        name, num_classes=num_classes, feature_sizes=tuple(feature_sizes), **arguments
    )
    return created.build_weights()
