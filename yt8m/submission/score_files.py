"""Score folders: the scores of all classes of all videos, for fusion.

A folder contains `scores.npy` (float32 or float16 [N, K]), `ids.txt` (one id per line) and
`meta.json`. It is written in batches and read through a memory map, so that the scores of a million
videos in 3862 classes are never in memory at once. `yt8m.submission.score_formats` has the other
formats.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from yt8m.errors import UserError, one_of
from yt8m.submission.scores.arrays import ArrayWriter, Column
from yt8m.submission.scores.best import is_best_folder
from yt8m.submission.scores.folder import META, parts_of
from yt8m.submission.scores.read import AGAIN, read_folder
from yt8m.submission.scores.settings import ScoresDtype
from yt8m.submission.scores.stored import DenseScores
from yt8m.submission.writer import Position

SCORES = "scores.npy"


class ScoreWriter(ArrayWriter):
    """Appends batches to a score folder.

    It writes to `path + ".partial"`, which replaces an existing score folder on `close()`.

    Args:
      path: a local folder, since the array is memory-mapped.
      num_classes: K.
      dtype: "float32" or "float16".
      meta: further content of meta.json, such as "covered_classes", the classes that the model was
        trained on if these are not all, or "segments", whether the ids are `<video>:<start>`.
      flag: the flag that gave the path; error messages name it.
      at: position in the unfinished folder of a killed process; None starts from the beginning.

    Raises:
      UserError: the path is remote, cannot be written, or is a folder of something else.
      CannotGoOn: there is no such unfinished folder.
    """

    def __init__(
        self,
        path: str,
        num_classes: int,
        dtype: ScoresDtype = "float32",
        meta: dict[str, Any] | None = None,
        flag: str = "--output_scores",
        at: Position | None = None,
    ):
        stored = np.dtype(one_of("dtype", dtype, ScoresDtype)).newbyteorder("<")
        columns = [Column(SCORES, stored, int(num_classes))]
        super().__init__(
            path, int(num_classes), columns, {**(meta or {}), "dtype": dtype}, flag, at
        )

    def _rows(self, scores: np.ndarray) -> list[np.ndarray]:
        return [scores]


class ScoreFile(DenseScores):
    """A score folder, opened for reading.

    Attributes:
      ids: N video ids.
      scores: memory-mapped [N, K]; slices are read from the disk when they are used.
      meta: the content of meta.json.

    Args:
      path: a local folder.
      flag: the flag that gave the path; error messages name it.

    Raises:
      UserError: the path is not a score folder, is incomplete or inconsistent, or has another
        format.
    """

    def __init__(self, path: str, flag: str = "--inputs"):
        for other, found in (
            ("--scores_top_k", is_best_folder(path)),
            ("--scores_format=parquet", bool(parts_of(path))),
        ):
            if found:
                raise UserError(
                    f"{flag}: {path!r} was written with {other}, but the scores of all classes are"
                    f" needed in a NumPy array; predict again without {other}."
                )
        meta, ids, (scores,) = read_folder(path, flag, (SCORES,))
        if meta.get("num_classes", scores.shape[1]) != scores.shape[1]:
            raise UserError(
                f"{flag}: {path}/{SCORES} has shape {scores.shape}, but {META} has"
                f" {meta['num_classes']} classes; {AGAIN}"
            )
        super().__init__(ids, scores, meta)
