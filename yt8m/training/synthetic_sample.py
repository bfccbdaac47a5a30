"""What train.py uses when no data are named: the synthetic sample, made on the spot."""

from __future__ import annotations

import os
from typing import Any

from yt8m.data.synthetic.dataset import SyntheticSpec, make_synthetic

FOLDER = os.path.join("runs", "synthetic_sample")


def use_synthetic_sample(values: Any, level: str, folder: str = FOLDER) -> None:
    """Set the flags `train_data_pattern` and `eval_data_pattern` to a synthetic data set, made if it is not there."""
    paths = make_synthetic(folder)
    print(
        f"no --train_data_pattern: using the synthetic sample in {folder} (learnable, but not YouTube-8M)",
        flush=True,
    )
    values.max_frames = min(
        values.max_frames, SyntheticSpec().max_frames
    )  # padding costs time and teaches nothing
    values.train_data_pattern = paths.pattern("train", level)
    if not values.eval_data_pattern:
        values.eval_data_pattern = paths.pattern("validate", level)
