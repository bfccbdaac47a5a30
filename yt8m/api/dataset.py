"""Record files as a data set."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

from yt8m.data.files.shards import find_shards
from yt8m.data.find_schema import find_schema
from yt8m.data.pipeline import build_dataset
from yt8m.data.schema import RecordSchema

Batch = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Records on disk. Iterating over it gives every example once, in a fixed order.

    Attributes:
      files: the shards.
      schema: what the records contain.
      description: one line about them.
      batch_size: examples per batch.
    """

    files: list[str]
    schema: RecordSchema
    description: str
    batch_size: int

    def batches(self, *, training: bool = False, seed: int = 0, epoch: int = 0) -> tf.data.Dataset:
        """Return the batches of one pass.

        Args:
          training: shuffle the records, and drop the last partial batch.
          seed: decides the order, together with `epoch`.
          epoch: number of the pass.

        Returns:
          Batches {"id": string [B], "video": float32 [B, D] or "frames" [B, T, D] of bytes or
          floats, "num_frames": int32 [B], "labels": uint8 [B, K]}; rated segments also have
          "weights": float32 [B, K].
        """
        return build_dataset(
            self.files,
            self.schema,
            batch_size=self.batch_size,
            training=training,
            seed=seed,
            epoch=epoch,
        )

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches in the records' order."""
        return iter(self.batches())


def open_dataset(
    pattern: str,
    batch_size: int = 128,
    *,
    num_classes: int | None = None,
    feature_names: Sequence[str] | None = None,
    segment_labels: bool = False,
    max_frames: int | None = None,
    vocabulary_file: str = "",
) -> Dataset:
    """Open record files; their schema is read from the records.

    Args:
      pattern: comma-separated glob patterns, local or remote.
      batch_size: examples per batch.
      num_classes: K; by default the rows of a vocabulary beside the records, or else those of the
        release that the records are recognized as.
      feature_names: features to read, in their order of concatenation; by default all.
      segment_labels: read rated five-second segments in place of whole videos.
      max_frames: frames that are kept of each video; by default the most that the release has.
      vocabulary_file: vocabulary.csv, if it is not beside the records.

    Raises:
      UserError: no file matches, or the records do not match the arguments.

    Example:
      >>> import yt8m
      >>> dataset = yt8m.open_dataset("data/video/train*.tfrecord", batch_size=16)
      >>> batch = next(iter(dataset))
      >>> batch["video"].shape[1] == dataset.schema.feature_size
      True
    """
    files = find_shards(pattern, "pattern")
    schema, description = find_schema(
        files,
        feature_names=feature_names,
        num_classes=num_classes,
        segment_labels=segment_labels,
        max_frames=max_frames,
        vocabulary_file=vocabulary_file,
        flag="pattern",
    )
    return Dataset(files, schema, description, batch_size)
