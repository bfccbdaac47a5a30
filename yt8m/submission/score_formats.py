"""Score folders of every format: the writer that the flags ask for, and the reader.

| | files | bytes per video |
|---|---|---|
| all classes | `scores.npy`, `ids.txt`, `meta.json` | 4 K, or 2 K in float16 |
| best k | `top_classes.npy`, `top_scores.npy`, `top_rest.npy`, the same | 6 k, or 4 k in float16 |
| Parquet | `part-00000.parquet`, ... | compressed |
"""

from __future__ import annotations

from typing import Any

from yt8m.submission.score_files import ScoreFile, ScoreWriter
from yt8m.submission.scores.best import BestWriter, is_best_folder, open_best
from yt8m.submission.scores.folder import local, parts_of
from yt8m.submission.scores.parquet import ParquetWriter
from yt8m.submission.scores.read_parquet import open_parquet
from yt8m.submission.scores.settings import ScoresSettings
from yt8m.submission.scores.stored import StoredScores
from yt8m.submission.writer import Position, PredictionWriter


def scores_writer(
    path: str,
    num_classes: int,
    settings: ScoresSettings,
    meta: dict[str, Any] | None = None,
    at: Position | None = None,
) -> PredictionWriter:
    """Return the writer of a score folder.

    Args:
      path: a local folder.
      num_classes: K.
      settings: the format, the precision and how many classes of each video are stored.
      meta: further content, such as "covered_classes", the classes that the model was trained on if
        these are not all, or "segments", whether the ids are `<video>:<start>`.
      at: position in the unfinished folder of a killed process; None starts from the beginning.

    Raises:
      UserError: the settings do not fit K, the path cannot be written, or an extra is missing.
      CannotGoOn: there is no such unfinished folder.
    """
    top_k, dtype = settings.scores_top_k, settings.scores_dtype
    if settings.scores_format == "parquet":
        return ParquetWriter(path, num_classes, top_k, dtype, meta, at=at)
    if top_k:
        return BestWriter(path, num_classes, top_k, dtype, meta, at=at)
    return ScoreWriter(path, num_classes, dtype, meta, at=at)


def open_scores(path: str, flag: str = "--inputs") -> StoredScores:
    """Open a score folder of any format, or a single Parquet file.

    Raises:
      UserError: the path is none, is incomplete or inconsistent, or needs an extra that is missing.
    """
    folder = local(path, flag)
    if parts_of(folder):
        return open_parquet(folder, flag)
    if is_best_folder(folder):
        return open_best(folder, flag)
    return ScoreFile(path, flag)


def is_stored_scores(path: str) -> bool:
    """Whether a path is a folder, perhaps unfinished, or a Parquet file, and not a CSV."""
    import tensorflow as tf

    return tf.io.gfile.isdir(path) or bool(parts_of(path))
