"""Records as a run reads them for evaluation and prediction: in order, and each once."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.shards import find_shards
from yt8m.data.pipeline import read_batches
from yt8m.data.records.sampling import FrameSampling
from yt8m.data.records.where import where_is
from yt8m.data.schema import SEGMENT_FRAMES
from yt8m.errors import UserError
from yt8m.runs.build import schema_like
from yt8m.runs.config import RunConfig


class EvaluationRecords:
    """The records of a pattern, read with the batch size and frames of a run's evaluation.

    Attributes:
      files: the matching shards.
      schema: how the records are encoded.
      description: one line that describes the schema.
      batch_size: examples per batch.
      sampling: which frames of a video are read.

    Args:
      config: the run's settings.
      pattern: comma-separated glob patterns of records.
      flag: the flag that gave the pattern; error messages name it.
      batch_size: examples per batch; 0 means the run's own.
      eval_frames: evenly spaced frames per video; 0 means all frames, None what the run validated
        with.
      rated: whether five-second segments need ratings.

    Raises:
      UserError: no file matches, or the records do not match the run's model.
    """

    def __init__(
        self,
        config: RunConfig,
        pattern: str,
        flag: str,
        batch_size: int = 0,
        eval_frames: int | None = None,
        rated: bool = True,
    ):
        if eval_frames and config.schema.segment_labels:
            raise UserError(
                f"--eval_frames={eval_frames}: all {SEGMENT_FRAMES} frames of a segment are always"
                " used; drop the flag."
            )
        self.files = find_shards(pattern, flag)
        self.schema, self.description = schema_like(config, self.files, flag, rated=rated)
        training = config.training
        self.batch_size = batch_size or training.eval_batch_size or config.recipe.batch_size
        frames = training.eval_frames if eval_frames is None else eval_frames
        self.sampling = FrameSampling("even", frames) if frames else FrameSampling()

    def only(self, files: list[str]) -> EvaluationRecords:
        """Return some of the shards, read in the same way."""
        part = copy.copy(self)
        part.files = files
        return part

    def refuse_nan(self, ids: Any, scores: NDArray[Any]) -> None:
        """Refuse scores that are no numbers, and name a video that has them and its record.

        Args:
          ids: the examples' ids [B], as the records have them.
          scores: float [B, K].

        Raises:
          UserError: there are some.
        """
        if not scores.size or not np.isnan(scores.max()):
            return
        rows = np.flatnonzero(np.isnan(scores).any(axis=1))
        example = bytes(np.asarray(ids)[rows[0]])
        video = example.rpartition(b":")[0] if self.schema.segment_labels else example
        place = where_is(self.files, video, self.schema)
        where = f" in {place.file} at byte {place.offset}" if place else ""
        why = "if its features are numbers, the model has diverged: train again with a lower"
        why += " --base_learning_rate, or use an earlier checkpoint."
        if place and place.problem:
            why = f"{place.problem}. `python -m yt8m.data.inspect --full {place.file}` lists such"
            why += " records; leave them out, or make them again."
        raise UserError(
            f"the scores of {len(rows)} of {len(scores)} rows are NaN, first those of"
            f" {example.decode('utf-8', 'backslashreplace')!r}{where}: {why}"
        )

    def without_nan(
        self, pairs: Iterable[tuple[dict[str, Any], NDArray[Any]]]
    ) -> Iterator[tuple[dict[str, Any], NDArray[Any]]]:
        """Yield batches beside their scores, as long as these are numbers; see `refuse_nan`."""
        for batch, scores in pairs:
            self.refuse_nan(batch["id"].numpy(), scores)
            yield batch, scores

    def batches(self, bad: BadRecords, **more: Any) -> Iterator[dict[str, tf.Tensor]]:
        """Yield the batches of one pass; `more` goes to `read_batches`."""
        return read_batches(
            self.files,
            self.schema,
            bad,
            batch_size=self.batch_size,
            sampling=self.sampling,
            **more,
        )
