"""Trainers by name: how a run's weights are found, chosen by `--trainer` or by the model itself."""

from __future__ import annotations

import importlib
from typing import Callable

# Name -> module with `train(config, train_dir, start_new_model, strategy) -> exit code`; imported on demand.
_TRAINERS: dict[str, str] = {
    "joint": "yt8m.training.trainer",
    "partitioned": "yt8m.largescale.partitioned.trainer",
    "alternating": "yt8m.largescale.alternating.trainer",
}
AUTO = "auto"
NAMES = (AUTO, *_TRAINERS)
HELP = (
    "how the weights are found; auto: as the model says, most often joint. partitioned: PmoeModel's groups of labels one after"
    " the other, in memory for one: 12 bytes x D (2k + 1) x group_size, and about 1 GB whatever the model"
    " (k = 200, 500 labels, D = 1152: 2.8 + 1 GB). alternating: the KDD paper's three steps"
)


def get(name: str) -> Callable[..., int]:
    """Return the `train` function of the trainer called `name`."""
    return importlib.import_module(_TRAINERS[name]).train
