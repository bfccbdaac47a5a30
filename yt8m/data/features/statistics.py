"""Mean, spread and range of each feature in a part of the records, read in one bounded pass."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.data.files.reader import first_payloads
from yt8m.data.files.shards import evenly_spaced
from yt8m.data.records.frame import parse_sequence
from yt8m.data.records.isolate import parse_or_isolate
from yt8m.data.records.quantization import dequantize
from yt8m.data.records.video import id_features, parse_video_batch
from yt8m.data.schema import RecordSchema

# Records that the statistics of a run are learnt from: 100 MB of means, 350 MB of bytes of frames.
MOST_RECORDS = {"video": 16384, "frame": 1024}
_SHARDS = 64
_ENDS = (-1.99, 2.0)  # of the values of bytes; see `quantization`
_TOGETHER = 256  # records that are parsed in one call


@dataclasses.dataclass(frozen=True)
class FeatureStatistics:
    """What the values of each of the D features are like.

    Attributes:
      records: number of records that were read.
      rows: number of frames, or of videos at video level.
      mean, std: mean and standard deviation, float64 [D].
      least, most: smallest and largest value, float64 [D].
      at_ends: share of the values beyond the smallest and largest but one of a release's bytes,
        float64 [D].
    """

    records: int
    rows: int
    mean: np.ndarray
    std: np.ndarray
    least: np.ndarray
    most: np.ndarray
    at_ends: np.ndarray | None = None

    @property
    def varies(self) -> np.ndarray:
        """Whether a feature has more than one value, up to the precision of float32; bool [D]."""
        size = np.maximum(np.abs(self.least), np.abs(self.most))
        return self.std > 2.0**-23 * size


class Moments:
    """Adds up rows; the sums are about the mean, so that a large mean costs no precision.

    Args:
      size: D.
    """

    def __init__(self, size: int):
        self._records, self._rows = 0, 0
        self._mean, self._squares = np.zeros(size), np.zeros(size)
        self._ends = np.zeros(size)
        self._least, self._most = np.full(size, np.inf), np.full(size, -np.inf)

    def add(self, rows: np.ndarray, records: int = 1) -> None:
        """Add rows [n, D] of so many records."""
        self._records += records
        if not len(rows):
            return
        x = np.asarray(rows, np.float64)
        mean = x.mean(0)
        total = self._rows + len(x)
        step = mean - self._mean
        # Chan, Golub and LeVeque 1979: the sums of squares of two parts and of their means.
        self._squares += ((x - mean) ** 2).sum(0) + step**2 * (self._rows * len(x) / total)
        self._mean += step * (len(x) / total)
        self._least = np.minimum(self._least, x.min(0))
        self._most = np.maximum(self._most, x.max(0))
        self._ends += ((x < _ENDS[0]) | (x > _ENDS[1])).sum(0)
        self._rows = total

    def result(self) -> FeatureStatistics | None:
        """Return the statistics, or None without a row."""
        if not self._rows:
            return None
        std = np.sqrt(self._squares / self._rows)
        return FeatureStatistics(
            self._records,
            self._rows,
            self._mean,
            std,
            self._least,
            self._most,
            self._ends / self._rows,
        )


def learn_statistics(
    files: Sequence[str], schema: RecordSchema, records: int = 0
) -> FeatureStatistics | None:
    """Return the statistics of the features in the first records of up to 64 shards.

    Args:
      files: shards.
      schema: schema of their records.
      records: number of records to read at most; 0 takes `MOST_RECORDS`.

    Returns:
      The statistics, or None if there is no row of finite values.
    """
    moments = Moments(schema.feature_size)
    for rows, count in read_rows(files, schema, records or MOST_RECORDS[schema.level]):
        moments.add(rows, count)
    return moments.result()


def read_rows(
    files: Sequence[str], schema: RecordSchema, records: int, shards: int = _SHARDS
) -> Iterator[tuple[np.ndarray, int]]:
    """Yield float32 rows [n, D] and the number of their records, from evenly spaced shards.

    The rows are the frames of a video, or the means of several videos; bytes are dequantised. The
    records that cannot be used are left out: training counts them itself.

    Args:
      files: shards.
      schema: schema of their records.
      records: number of records to read at most.
      shards: number of shards to read at most.
    """
    chosen = evenly_spaced(files, shards)
    each = -(-records // len(chosen))
    one_at_a_time = schema.level == "frame"
    parse = _frames(schema) if one_at_a_time else functools.partial(_videos, schema=schema)
    for path in chosen:
        payloads = first_payloads(path, each)
        while together := list(itertools.islice(payloads, 1 if one_at_a_time else _TOGETHER)):
            rows, _ = parse_or_isolate(parse, together)
            if rows is not None:
                finite = np.isfinite(rows).all(-1)
                yield rows[finite], 1 if one_at_a_time else len(rows)


def _videos(payloads: Sequence[bytes], schema: RecordSchema) -> np.ndarray:
    batch = parse_video_batch(tf.constant(list(payloads), tf.string), schema, with_labels=False)
    return batch["video"].numpy()


def _frames(schema: RecordSchema) -> Any:
    """Return the function from a list of one record to its frames [n, D]."""

    @functools.partial(tf.function, input_signature=[tf.TensorSpec([], tf.string)])
    def steps_of(payload: tf.Tensor) -> tf.Tensor:
        _, steps, count = parse_sequence(payload, schema, id_features())
        if not schema.float_frames:
            widths = zip(steps, schema.feature_sizes)
            steps = [
                tf.reshape(tf.io.decode_raw(s, tf.uint8), [tf.shape(s)[0], d]) for s, d in widths
            ]
        return tf.concat([s[:count] for s in steps], -1)

    def frames(payloads: Sequence[bytes]) -> np.ndarray:
        found = steps_of(tf.constant(payloads[0])).numpy()
        return found if schema.float_frames else dequantize(found)

    return frames
