"""What a folder with arrays of one row per video holds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from yt8m.errors import UserError
from yt8m.submission.scores.folder import IDS, META, local
from yt8m.submission.scores.meta import checked_meta
from yt8m.text_lines import parsed_json


def read_folder(
    path: str, flag: str, names: Sequence[str]
) -> tuple[dict[str, Any], list[str], list[np.ndarray]]:
    """Return the content of meta.json, the ids [N], and the memory-mapped arrays [N, ...] `names`.

    Raises:
      UserError: the path is not a score folder, or is incomplete or inconsistent.
    """
    folder = local(path, flag)
    if not os.path.isfile(os.path.join(folder, META)):
        unfinished = os.path.isdir(folder + ".partial")
        why = "its writer did not finish" if unfinished else f"it has no {META}"
        raise UserError(
            f"{flag}: {path!r} is not a score folder: {why}. inference.py --output_scores writes"
            " one."
        )
    try:
        with open(os.path.join(folder, META), encoding="utf-8") as source:
            meta = parsed_json(source.read())
        with open(os.path.join(folder, IDS), encoding="utf-8", newline="\n") as source:
            ids = source.read().split("\n")[:-1]
        # NumPy cannot map an empty array.
        mode: Any = "r" if ids else None
        arrays = [np.load(os.path.join(folder, name), mmap_mode=mode) for name in names]
    except Exception as error:  # NumPy has many for a file that is empty, cut off or another's
        raise UserError(f"{flag}: cannot read the score folder {path!r}: {error}.") from None
    for array in arrays:
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
            raise UserError(f"{flag}: {path!r} has scores that are not arrays of numbers.")
        if array.ndim != 2 or len(ids) != len(array):
            raise UserError(
                f"{flag}: {path!r} has {len(ids)} ids, but scores of shape {array.shape}."
            )
    return checked_meta(meta, path, flag, arrays[-1].shape[1]), ids, arrays
