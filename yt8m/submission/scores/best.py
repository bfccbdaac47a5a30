"""Folders with the best k classes of each video, as arrays of fixed width.

`top_classes.npy` and `top_scores.npy` [N, k] have the classes in descending order of the score, and
`top_rest.npy` [N, 1] has the mean score of the other classes.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from yt8m.errors import UserError
from yt8m.metrics.top_k import top_k as best_of_rows
from yt8m.submission.scores.arrays import ArrayWriter, Column
from yt8m.submission.scores.folder import META
from yt8m.submission.scores.read import AGAIN, read_folder
from yt8m.submission.scores.stored import BestScores
from yt8m.submission.writer import Position

CLASSES, SCORES, REST = "top_classes.npy", "top_scores.npy", "top_rest.npy"
_ROWS = 1 << 16  # whose classes are checked together


class BestWriter(ArrayWriter):
    """Appends the best classes of each video to a score folder, in descending order of the score.

    Args:
      path: a local folder, since the arrays are memory-mapped.
      num_classes: K.
      top_k: k.
      dtype: "float32" or "float16".
      meta: further content of meta.json.
      flag: the flag that gave the path; error messages name it.
      at: position in the unfinished folder of a killed process; None starts from the beginning.

    Raises:
      UserError: `top_k` is not between 1 and K; or the path is remote, cannot be written, or is a
        folder of something else.
      CannotGoOn: there is no such unfinished folder.
    """

    def __init__(
        self,
        path: str,
        num_classes: int,
        top_k: int,
        dtype: str = "float32",
        meta: dict[str, Any] | None = None,
        flag: str = "--output_scores",
        at: Position | None = None,
    ):
        check_top_k(top_k, num_classes)
        self._top_k = top_k
        index = np.dtype("<u2" if num_classes <= 1 << 16 else "<i4")
        columns = [
            Column(CLASSES, index, top_k),
            Column(SCORES, np.dtype(dtype).newbyteorder("<"), top_k),
            Column(REST, np.dtype("<f4"), 1),
        ]
        meta = {**(meta or {}), "dtype": dtype, "top_k": top_k}
        super().__init__(path, num_classes, columns, meta, flag, at)

    def _rows(self, scores: np.ndarray) -> tuple[np.ndarray, ...]:
        return split(scores, self._top_k)


def split(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the best classes of each row, their scores, and the mean score of all other classes.

    Args:
      scores: float [B, K].
      k: number of classes, from 1 to K.

    Returns:
      (classes int64 [B, k], scores [B, k], rest float32 [B, 1]).
    """
    values, classes = best_of_rows(scores, k)
    others = scores.shape[1] - k
    rest = scores.sum(axis=1, dtype=np.float64) - values.sum(axis=1, dtype=np.float64)
    mean = np.maximum(rest, 0) / others if others else np.zeros(len(scores))
    return classes, values, mean.astype(np.float32)[:, np.newaxis]


def check_top_k(top_k: int, num_classes: int) -> None:
    """Refuse a number of classes per video that is not between 1 and K.

    Raises:
      UserError: names --scores_top_k.
    """
    if not 1 <= top_k <= num_classes:
        raise UserError(
            f"--scores_top_k={top_k}: the scores have {num_classes} classes; give a number between"
            " 1 and that, or drop the flag to store all classes."
        )


def open_best(path: str, flag: str) -> BestScores:
    """Open a folder that `BestWriter` finished.

    Raises:
      UserError: the folder is incomplete or inconsistent.
    """
    meta, ids, (classes, scores, rest) = read_folder(path, flag, (CLASSES, SCORES, REST))
    file = os.path.join(path, CLASSES)
    if classes.shape != scores.shape:
        raise UserError(
            f"{flag}: {file} has classes of shape {classes.shape}, but {SCORES} has scores of shape"
            f" {scores.shape}; {AGAIN}"
        )
    num_classes = int(meta.get("num_classes", 0))
    if rest.shape[1] != 1 or classes.dtype.kind not in "iu" or scores.shape[1] > num_classes:
        raise UserError(
            f"{flag}: {path} has arrays of other forms ({CLASSES}, {SCORES}, {REST}) than the best"
            f" classes, their scores and the mean of the rest, of the {num_classes} classes that"
            f" {META} names; {AGAIN}"
        )
    for start in range(0, len(ids), _ROWS):
        some = classes[start : start + _ROWS]
        if some.size and not 0 <= some.min() <= some.max() < num_classes:
            raise UserError(
                f"{flag}: {file} has the classes {some.min()} to {some.max()}, but there are"
                f" {num_classes} classes; {AGAIN}"
            )
    return BestScores(ids, classes, scores, rest, num_classes, meta)


def is_best_folder(path: str) -> bool:
    """Whether `path` is a folder with arrays of `BestWriter`, whatever has become of them."""
    return any(os.path.lexists(os.path.join(path, name)) for name in (CLASSES, SCORES, REST))
