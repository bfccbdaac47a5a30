"""Statistics of each feature of some records, which two data sets are compared by."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from absl import logging
from numpy.typing import NDArray

from yt8m.data.files.kind import other_kind
from yt8m.data.files.scan import scan
from yt8m.data.findings import look
from yt8m.data.records.protos import sequence_example
from yt8m.data.records.quantization import dequantize
from yt8m.errors import UserError

Array = NDArray[Any]
_DIGITS = 4  # of the numbers that are stored
_TINY = 1e-12  # a variance that is rounding


@dataclasses.dataclass(frozen=True)
class FeatureStatistics:
    """What is known of a feature of width D over a number of videos.

    Attributes:
      mean: the mean over the videos of their means, float [D].
      spread: standard deviation of the videos' means, float [D].
      skew: skewness of the videos' means, float [D]. The components of a whitened PCA have the same
        mean and nearly the same spread, and are distinguished by this.
      within: standard deviation of the frames within a video, float [D]; empty if the records have
        only means.
      at_ends: share of the frames' values that are the lowest or the highest byte; 0 without
        frames of bytes.
      zeros: share of values that are exactly 0; 0 for bytes, which cannot be.
      negative: share of values below 0.
      videos: their number.
    """

    mean: Array
    spread: Array
    skew: Array
    within: Array
    at_ends: float
    zeros: float
    negative: float
    videos: int

    @property
    def size(self) -> int:
        """D."""
        return len(self.mean)

    def to_json(self) -> dict[str, Any]:
        """Return the values that `from_json` reads."""
        values = dataclasses.asdict(self)
        return {
            key: np.round(value, _DIGITS).tolist() if isinstance(value, np.ndarray) else value
            for key, value in values.items()
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> FeatureStatistics:
        """Return the statistics that `to_json` returned as values.

        Raises:
          TypeError: they are other values.
        """
        arrays: dict[str, Any] = {
            key: np.array(value, np.float64) if isinstance(value, list) else value
            for key, value in values.items()
        }
        return cls(**arrays)


class _Sums:
    """The sums over the videos from which the statistics of a feature follow."""

    def __init__(self, size: int):
        self._sum, self._squares, self._cubes = np.zeros(size), np.zeros(size), np.zeros(size)
        self._within = np.zeros(size)
        self._videos = self._several = 0
        self._values = self._ends = self._zeros = self._negative = 0

    def add(self, values: Array, are_bytes: bool) -> None:
        """Add the frames [T, D] of a video, or its mean [1, D]."""
        if are_bytes:
            self._ends += int(np.count_nonzero((values == 0) | (values == 255)))
            values = dequantize(values)
        values = values.astype(np.float64)
        mean = values.mean(axis=0)
        self._sum += mean
        self._squares += mean**2
        self._cubes += mean**3
        self._videos += 1
        if len(values) > 1:
            self._within += values.var(axis=0)
            self._several += 1
        self._values += values.size
        self._zeros += int(np.count_nonzero(values == 0))
        self._negative += int(np.count_nonzero(values < 0))

    def result(self) -> FeatureStatistics:
        """Return the statistics."""
        mean = self._sum / self._videos
        squares = self._squares / self._videos
        variance = np.maximum(squares - mean**2, 0.0)
        third = self._cubes / self._videos - 3 * mean * squares + 2 * mean**3
        skew = np.where(variance > _TINY, third / np.maximum(variance, _TINY) ** 1.5, 0.0)
        within = np.sqrt(self._within / self._several) if self._several else np.zeros(0)
        return FeatureStatistics(
            mean,
            np.sqrt(variance),
            skew,
            within,
            at_ends=self._ends / self._values,
            zeros=self._zeros / self._values,
            negative=self._negative / self._values,
            videos=self._videos,
        )


def statistics_of(
    files: Sequence[str], max_records: int, flag: str = "PATTERN"
) -> dict[str, FeatureStatistics]:
    """Return the statistics of each feature, over the first records of each of the files.

    A video-level feature, such as `mean_rgb`, is called like that of the frames, `rgb`.

    Args:
      files: shards.
      max_records: number of records to read, evenly from all files; 0 reads all.
      flag: flag that named the shards, for messages.

    Raises:
      UserError: no record could be read, or a feature has another width in another record.
    """
    sums: dict[str, _Sums] = {}
    widths: dict[str, int] = {}
    broken: list[str] = []
    each = -(-max_records // len(files)) if max_records else None
    for path in files:
        for payload in itertools.islice(_payloads(path, flag, broken), each):
            features = _features(payload)
            if isinstance(features, str):
                broken.append(f"{path}: {features}")
                continue
            for name, values, are_bytes in features:
                width = widths.setdefault(name, values.shape[1])
                if values.shape[1] != width:
                    raise UserError(
                        f"{flag}: {name} has {width:,} values in one record and"
                        f" {values.shape[1]:,} in another, of {path}; name records of one kind."
                    )
                sums.setdefault(name, _Sums(width)).add(values, are_bytes)
    if broken:
        logging.warning("%s: %d broken records, first %s.", flag, len(broken), broken[0])
    if not sums:
        raise UserError(f"{flag}: no record with features could be read; `yt8m inspect` shows why.")
    return {name: one.result() for name, one in sums.items()}


def _payloads(path: str, flag: str, broken: list[str]) -> Iterator[bytes]:
    """Yield the intact records of a shard, and add the others to `broken` as text."""
    for record in scan(path):
        if record.payload is not None:
            yield record.payload
        elif record.offset == 0 and record.lost and (other := other_kind(path)):
            raise UserError(f"{flag}: {path} is not a TFRecord file: it {other}.")
        else:
            broken.append(f"{path} at byte {record.offset}: {record.problem}")


def _features(payload: bytes) -> list[tuple[str, Array, bool]] | str:
    """Return the name, the values [T, D] and whether they are bytes of each feature of a record.

    Returns:
      the features, or what is wrong with the record.
    """
    found, record = look(payload), sequence_example(payload)
    features: list[tuple[str, Array, bool]] = []
    if found is None or record is None:
        return features
    for name, key in found.keys.items():
        if found.level == "video":
            mean = np.array(record.context.feature[key].float_list.value, np.float32)
            name, values, are_bytes = name.removeprefix("mean_"), mean[np.newaxis], False
        else:
            are_bytes = not found.float_frames[name]
            try:
                values = _frames(record.feature_lists.feature_list[key].feature, are_bytes)
            except (ValueError, IndexError):
                return f"{key} has frames of different widths, or some without values"
        if not np.isfinite(values).all():
            return f"{key} has values that are NaN or infinite"
        features.append((name, values, are_bytes))
    return features


def _frames(features: Iterable[Any], are_bytes: bool) -> Array:
    if are_bytes:
        return np.stack([np.frombuffer(f.bytes_list.value[0], np.uint8) for f in features])
    return np.stack([np.array(f.float_list.value, np.float32) for f in features])
