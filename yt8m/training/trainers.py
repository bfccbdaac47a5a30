"""Trainers by name: `--trainer` or the model itself chooses how a run's weights are found."""

from __future__ import annotations

import importlib
from typing import Any, Callable

# Each module has `train(config, train_dir, start_new_model, strategy)`; it is imported on demand.
_TRAINERS: dict[str, str] = {
    "joint": "yt8m.training.trainer",
    "partitioned": "yt8m.largescale.partitioned.trainer",
    "alternating": "yt8m.largescale.alternating.trainer",
}
AUTO = "auto"
NAMES = (AUTO, *_TRAINERS)
HELP = (
    "how the weights are found. auto: as the model says, mostly joint. partitioned: PmoeModel's"
    " groups of labels one after another, in memory for one group: 12 bytes x D (2k + 1) x"
    " group_size, and about 1 GB for any model (k = 200, 500 labels, D = 1152: 2.8 + 1 GB)."
    " alternating: the KDD paper's three steps"
)


def get(name: str) -> Callable[..., Any]:
    """Return the `train` function of the trainer called `name`."""
    return importlib.import_module(_TRAINERS[name]).train
