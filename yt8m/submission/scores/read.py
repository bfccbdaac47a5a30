"""What a folder with arrays of one row per video holds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from yt8m.errors import UserError
from yt8m.stored import check_size, intact
from yt8m.submission.scores.folder import IDS, META, local
from yt8m.submission.scores.meta import checked_meta
from yt8m.text_lines import parsed_json

AGAIN = "predict again (inference.py --output_scores)."
LARGEST = 1 << 43  # bytes of an array, which is not read but mapped
_MAPPED = 1 << 12  # bytes from which on an array is mapped even if there is no id


def read_folder(
    path: str, flag: str, names: Sequence[str]
) -> tuple[dict[str, Any], list[str], list[np.ndarray]]:
    """Return the content of meta.json, the ids [N], and the memory-mapped arrays [N, ...] `names`.

    Raises:
      UserError: the path is not a score folder, or is incomplete or inconsistent.
    """
    folder = local(path, flag)
    if not os.path.lexists(os.path.join(folder, META)):
        unfinished = os.path.isdir(folder + ".partial")
        why = "its writer did not finish" if unfinished else f"it has no {META}"
        raise UserError(
            f"{flag}: {path!r} is not a score folder: {why}. inference.py --output_scores writes"
            " one."
        )
    described, listed = os.path.join(folder, META), os.path.join(folder, IDS)
    with intact(described, AGAIN):
        meta = parsed_json(_text(described))
    with intact(listed, AGAIN):
        ids = _text(listed).split("\n")[:-1]
    arrays = []
    for name in names:
        file = os.path.join(folder, name)
        with intact(file, AGAIN):
            arrays.append(_array(file, bool(ids)))
        shape = arrays[-1].shape
        if len(shape) != 2 or len(ids) != shape[0]:
            raise UserError(
                f"{flag}: {listed} has {len(ids)} ids, but {file} has scores of shape {shape};"
                f" {AGAIN}"
            )
    return checked_meta(meta, described, flag, arrays[-1].shape[1]), ids, arrays


def _text(path: str) -> str:
    check_size(path)
    with open(path, encoding="utf-8", newline="\n") as source:
        return source.read()


def _array(path: str, has_rows: bool) -> np.ndarray:
    check_size(path, LARGEST)
    # NumPy cannot map an empty array.
    mode: Any = "r" if has_rows or os.path.getsize(path) > _MAPPED else None
    found = np.load(path, mmap_mode=mode)
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "fiu":
        raise ValueError("it is no array of numbers")
    return found
