"""The public functions of `yt8m`: everything a program needs to train a model and to use it.

They change no global state, print what a run reports, and raise `UserError` for a caller's mistake.
The examples expect record files in `data/`, as `python -m yt8m.data.synthetic --out_dir=data` makes
them.
"""

from __future__ import annotations

from yt8m.api.dataset import Dataset, open_dataset
from yt8m.api.models import create_model, list_models
from yt8m.api.run import Run, load_run
from yt8m.api.training import train
from yt8m.errors import UserError

__all__ = [
    "Dataset",
    "Run",
    "UserError",
    "create_model",
    "list_models",
    "load_run",
    "open_dataset",
    "train",
]
