"""Trainers by name: `--trainer` or the model itself chooses how a run is trained."""

from __future__ import annotations

import importlib
from typing import Any, Callable

# Each module has `train(config, train_dir, start_new_model, strategy)`; it is imported on demand.
_TRAINERS: dict[str, str] = {
    "joint": "yt8m.training.trainer",
    "partitioned": "yt8m.largescale.partitioned.trainer",
    "alternating": "yt8m.largescale.alternating.trainer",
}


def get(name: str) -> Callable[..., Any]:
    """Return the `train` function of the trainer called `name`."""
    return importlib.import_module(_TRAINERS[name]).train
