"""The synthetic sample that train.py uses if no records are given."""

from __future__ import annotations

import os
from typing import Any

from yt8m.data.synthetic.dataset import SyntheticSpec, make_synthetic
from yt8m.errors import UserError

FOLDER = os.path.join("runs", "synthetic_sample")


def use_synthetic_sample(values: Any, level: str, folder: str = FOLDER) -> None:
    """Set the data flags of a run to the synthetic sample, which is made if it does not exist.

    Args:
      values: the flags; `train_data_pattern`, `eval_data_pattern` and `max_frames` are set.
      level: "video" or "frame".
      folder: where the sample is, or will be.
    """
    try:
        paths = make_synthetic(folder, flag="")
    except UserError as error:
        raise UserError(
            f"without --train_data_pattern a synthetic sample is made, but {error} Name records, or"
            " run the command in a folder that can be written to."
        ) from None
    print(
        f"no --train_data_pattern: using the synthetic sample in {folder}"
        " (learnable, but not YouTube-8M)",
        flush=True,
    )
    # Padding costs time and teaches nothing.
    longest = SyntheticSpec().max_frames
    values.max_frames = min(values.max_frames or longest, longest)
    values.train_data_pattern = paths.pattern("train", level)
    if not values.eval_data_pattern:
        values.eval_data_pattern = paths.pattern("validate", level)
