"""A teacher: the stored scores of a trained model or of a fusion for the training videos."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.pipeline import read_batches
from yt8m.errors import UserError
from yt8m.losses.soft_targets import UNKNOWN
from yt8m.runs.config import RunConfig
from yt8m.submission.score_formats import open_scores
from yt8m.submission.scores.stored import StoredScores

FLAG = "--teacher_scores"
_HOW = (
    "write them with inference.py --input_data_pattern=<the training records>"
    " --output_scores=FOLDER, or fuse such folders with fusion.py --output_scores=FOLDER."
)
_SAMPLE = 64  # videos that are looked up before a run begins


class Teacher:
    """Finds a teacher's scores for the videos of a batch.

    A video without scores, and a class that the teacher was not trained on, get `UNKNOWN`. Where
    the folder has the best classes of each video only, the others have the mean score of the rest.

    Args:
      folders: the stored scores; a video that is in several has those of the first.
      num_classes: K of the run.

    Raises:
      UserError: the scores are for other classes, or for segments.
    """

    def __init__(self, folders: Sequence[StoredScores], num_classes: int):
        for scores in folders:
            _check_fits(scores, num_classes)
        self._folders, self._num_classes = folders, num_classes
        names = np.array([name.encode() for scores in folders for name in scores.ids] or [b""])
        self._order = np.argsort(names, kind="stable")
        self._names = names[self._order]
        self._ends = np.cumsum([len(scores.ids) for scores in folders])
        self._seen = self._missing = 0
        self._counting = threading.Lock()

    def rows_of(self, ids: np.ndarray) -> np.ndarray:
        """Return where each video is among those of all folders, or -1; `ids` are bytes [B]."""
        if not self._ends[-1]:
            return np.full(len(ids), -1, np.int64)
        wanted = np.array(ids.tolist() or [b""])[: len(ids)]
        places = np.minimum(np.searchsorted(self._names, wanted), len(self._names) - 1)
        return np.where(self._names[places] == wanted, self._order[places], -1)

    def scores_of(self, ids: np.ndarray) -> np.ndarray:
        """Return the scores float32 [B, K] from 0 to 1, or `UNKNOWN`, of the videos `ids` [B]."""
        rows = self.rows_of(ids)
        known = rows >= 0
        with self._counting:
            self._seen += len(rows)
            self._missing += int((~known).sum())
        out = np.full((len(rows), self._num_classes), UNKNOWN, np.float32)
        first = 0
        for scores, end in zip(self._folders, self._ends):
            inside = np.flatnonzero((rows >= first) & (rows < end))
            if len(inside):
                out[inside] = np.clip(scores.dense(rows[inside] - first), 0.0, 1.0)
                covered = scores.meta.get("covered_classes")
                if covered is not None:
                    others = np.setdiff1d(np.arange(self._num_classes), covered)
                    out[inside[:, np.newaxis], others] = UNKNOWN
            first = int(end)
        return out

    def apply(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Return the batches with "teacher" float32 [B, K]."""

        def one(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            scores = tf.numpy_function(self.scores_of, [batch["id"]], tf.float32)
            return {**batch, "teacher": tf.ensure_shape(scores, batch["labels"].shape)}

        return batches.map(one, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)

    def finding(self) -> str:
        """Return a line about the videos read since the last call, or "" if all have scores."""
        with self._counting:
            seen, missing = self._seen, self._missing
            self._seen = self._missing = 0
        if not missing:
            return ""
        return (
            f"teacher: {missing:,} of the {seen:,} training videos read have no scores, and were"
            " learnt from their labels alone"
        )


def _check_fits(scores: StoredScores, num_classes: int) -> None:
    if scores.num_classes != num_classes:
        raise UserError(
            f"{FLAG}: the scores are for {scores.num_classes:,} classes, but the training records"
            f" have {num_classes:,}."
        )
    if scores.meta.get("segments"):
        raise UserError(
            f"{FLAG}: the scores are for five-second segments, but the run learns whole videos;"
            " predict without --segment_labels."
        )


def open_teacher(config: RunConfig) -> Teacher | None:
    """Return the teacher that a run's settings name, or None.

    Raises:
      UserError: a folder cannot be read or does not fit the run.
    """
    paths = [path for path in config.training.teacher_scores.split(",") if path]
    if not paths:
        return None
    return Teacher([open_scores(path, FLAG) for path in paths], config.schema.num_classes)


def check_knows(teacher: Teacher, config: RunConfig, files: list[str]) -> None:
    """Refuse a teacher that knows none of the first training videos.

    Raises:
      UserError: its scores are those of other records.
    """
    bad = BadRecords(config.training.max_bad_records)
    batches = read_batches(files[:1], config.schema, bad, batch_size=_SAMPLE, num_readers=1)
    with bad.explained(config.schema.num_classes):
        first = list(itertools.islice(batches, 1))
    for batch in first:
        ids = batch["id"].numpy()
        if (teacher.rows_of(ids) < 0).all():
            found = ids[0].decode("utf-8", "replace")
            raise UserError(
                f"{FLAG}={config.training.teacher_scores} has scores for none of the first"
                f" {len(ids)} training videos, such as {found!r}; {_HOW}"
            )
