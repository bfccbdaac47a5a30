"""The first lines of a run: what is trained, how large it is, and what memory that takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from yt8m.compat import tf_variable
from yt8m.runs.config import RunConfig
from yt8m.training.step import TrainStep

_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def first_lines(config: RunConfig, step: TrainStep) -> Iterator[str]:
    """Yield the model with its parameters, and the memory that training needs at least.

    Args:
      config: the run's settings.
      step: has the model, the optimizer and the weight average.
    """
    model, recipe = step.model, config.recipe
    yield f"{config.model.name}: {model.count_params():,} parameters"
    trained = _bytes(model.trainable_variables)
    state = {
        "weights": _bytes(model.variables),
        "gradients": trained,
        recipe.optimizer: _bytes(_variables_of(step.optimizer)),
        "the weight average": _bytes(step.average.shadows),
    }
    what = [name for name, size in state.items() if size >= trained / 100]
    yield (
        f"memory: at least {in_words(sum(state.values()))} for {', '.join(what)}, and"
        f" {in_words(batch_bytes(config))} for each batch of {recipe.batch_size:,}; activations"
        " come on top"
    )


def batch_bytes(config: RunConfig) -> int:
    """Return the bytes of a batch's features and labels, as the pipeline makes it."""
    schema, recipe = config.schema, config.recipe
    frames = recipe.train_frames or schema.max_frames
    of_frames = frames * (4 if schema.float_frames else 1) if schema.level == "frame" else 4
    return recipe.batch_size * (schema.feature_size * of_frames + schema.num_classes)


def in_words(size: float) -> str:
    """Return a number of bytes as `1.2 GB`, with two digits."""
    for unit, name in _UNITS:
        if size >= unit:
            value = size / unit
            return f"{value:.1f} {name}" if value < 10 else f"{value:,.0f} {name}"
    return f"{size:.0f} bytes"


def _variables_of(optimizer: Any) -> Iterable[Any]:
    variables = optimizer.variables  # a method in Keras 2, a property in Keras 3
    return variables() if callable(variables) else variables


def _bytes(variables: Iterable[Any]) -> int:
    found = [tf_variable(v) for v in variables]
    return sum(int(np.prod(v.shape.as_list())) * v.dtype.size for v in found)
