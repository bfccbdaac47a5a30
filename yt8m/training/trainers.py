"""Trainers by name: how a run's weights are found, chosen by `--trainer` or by the model itself."""

from __future__ import annotations

import importlib
from typing import Callable, Dict

# Name -> module with `train(config, train_dir, start_new_model, strategy) -> exit code`; imported on demand.
_TRAINERS: Dict[str, str] = {
    "joint": "yt8m.training.trainer",
    "partitioned": "yt8m.largescale.partitioned",
    "alternating": "yt8m.largescale.alternate",
}
AUTO = "auto"
NAMES = (AUTO, *_TRAINERS)


def get(name: str) -> Callable[..., int]:
    """Return the `train` function of the trainer called `name`."""
    return importlib.import_module(_TRAINERS[name]).train
