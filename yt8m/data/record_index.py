"""Place, id and labels of each record of a training set: found in one pass, and kept with the run.

A sampler that picks single records needs it, and so does whatever decides about labels over the
whole set. For the full release (6 million videos) it takes about 200 MB.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import io
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple, TypeVar

import numpy as np
import tensorflow as tf

from yt8m.data.files.bad_records import BadRecord, BadRecords, label_beyond
from yt8m.data.files.scan import OVERHEAD, scan
from yt8m.data.files.shards import fingerprint
from yt8m.data.ragged import Ragged
from yt8m.data.records.isolate import parse_or_isolate
from yt8m.data.records.video import first_id, id_features
from yt8m.errors import UserError
from yt8m.files import write_bytes

_TOGETHER = {"video": 1024, "frame": 64}  # records parsed together
_SHARDS_AT_ONCE = 8
_Used = TypeVar("_Used")


@dataclasses.dataclass(frozen=True)
class RecordIndex:
    """N whole records, in the order of the shards and of their bytes.

    Attributes:
      num_classes: K.
      shards: fingerprint of the files, see `files.shards.fingerprint`.
      shard: int32 [N], index of the file.
      offset: int64 [N], first byte of the record in it.
      size: int64 [N], bytes of the payload.
      ids: bytes [N].
      labels: int32 labels of each record, each once, ascending.
    """

    num_classes: int
    shards: str
    shard: np.ndarray
    offset: np.ndarray
    size: np.ndarray
    ids: np.ndarray
    labels: Ragged

    @property
    def num_records(self) -> int:
        """N."""
        return len(self.offset)

    def positives(self) -> np.ndarray:
        """Return n_c, the number of records of each class, int64 [K]."""
        return self.labels.counts(self.num_classes)

    def by_class(self) -> Ragged:
        """Return the records of each of the K classes, ascending."""
        return self.labels.transposed(self.num_classes)


class _Shard(NamedTuple):
    """Index of some records of one shard."""

    offset: np.ndarray
    size: np.ndarray
    ids: np.ndarray
    labels: Ragged


def build_index(
    files: list[str], level: str, num_classes: int, bad_records: BadRecords | None = None
) -> RecordIndex:
    """Read every record of the shards once, including the checksums.

    Records that are broken or do not parse are left out and counted.

    Args:
      files: shards.
      level: "video" or "frame"; decides how many records are held at a time.
      num_classes: K.
      bad_records: counts broken records; by default none is allowed.

    Raises:
      UserError: a label is beyond K, or too many records are broken.
    """
    shards = _each_shard(files, level, num_classes, bad_records, lambda shard: shard)
    lengths = [len(s.offset) for s in shards]
    return RecordIndex(
        num_classes=num_classes,
        shards=str(fingerprint(files)["sha1"]),
        shard=np.repeat(np.arange(len(files), dtype=np.int32), lengths),
        offset=np.concatenate([s.offset for s in shards]),
        size=np.concatenate([s.size for s in shards]),
        ids=np.concatenate([s.ids for s in shards]),
        labels=Ragged.joined([s.labels for s in shards]),
    )


def read_labels(
    files: list[str], level: str, num_classes: int, bad_records: BadRecords | None = None
) -> Ragged:
    """Return the labels of each record, int32, as `build_index` reads them, and nothing else."""
    return Ragged.joined(
        _each_shard(files, level, num_classes, bad_records, lambda shard: shard.labels)
    )


def _each_shard(
    files: list[str],
    level: str,
    num_classes: int,
    bad_records: BadRecords | None,
    use: Callable[[_Shard], _Used],
) -> list[_Used]:
    bad = bad_records or BadRecords()

    def read(path: str) -> _Used:
        parts = list(_parts(path, level, num_classes, bad))
        return use(parts[0] if len(parts) == 1 else _joined(parts))

    with bad.explained(num_classes), concurrent.futures.ThreadPoolExecutor(_SHARDS_AT_ONCE) as pool:
        try:
            return list(pool.map(read, files))
        except ValueError as error:  # from `bad`, raised here and not within a pipeline
            raise UserError(str(error)) from None


def _joined(parts: list[_Shard]) -> _Shard:
    none = np.zeros(0, np.int64)
    return _Shard(
        np.concatenate([none, *(p.offset for p in parts)]),
        np.concatenate([none, *(p.size for p in parts)]),
        np.concatenate([np.zeros(0, "S1"), *(p.ids for p in parts)]),
        Ragged.joined([p.labels for p in parts]),
    )


def _parts(path: str, level: str, num_classes: int, bad: BadRecords) -> Iterator[_Shard]:
    """Yield the index of a shard, some records at a time."""
    index = functools.partial(_index, path=path, num_classes=num_classes, bad=bad)
    records = tf.data.TFRecordDataset(path, buffer_size=1 << 20).ignore_errors()
    seen = 0
    for payloads in records.batch(_TOGETHER[level]):
        sizes = _sizes(payloads) + OVERHEAD
        yield from index(payloads, seen + np.cumsum(sizes) - sizes)
        seen += int(sizes.sum())
    if seen == tf.io.gfile.stat(path).length:
        return
    for record in scan(path, seen):  # the fast reader stopped at a broken record
        if record.payload is None:
            bad.add(BadRecord(path, record.offset, str(record.problem)))
        else:
            yield from index(tf.constant([record.payload]), np.array([record.offset], np.int64))


def _index(
    payloads: tf.Tensor, offsets: np.ndarray, path: str, num_classes: int, bad: BadRecords
) -> Iterator[_Shard]:
    parsed, problems = parse_or_isolate(_parse, payloads)
    for offset, problem in zip(offsets, problems):
        if problem:
            bad.add(BadRecord(path, int(offset), problem))
    if parsed is None:
        return
    good = np.array([problem is None for problem in problems])
    labels = label_rows(parsed["labels"], int(good.sum()), num_classes, path)
    ids = first_id(parsed).numpy().astype(np.bytes_)
    yield _Shard(offsets[good], _sizes(payloads)[good], ids, labels)


def _sizes(payloads: tf.Tensor) -> np.ndarray:
    return tf.strings.length(payloads).numpy().astype(np.int64)


def _parse(payloads: tf.Tensor) -> dict[str, Any]:
    # The context of a SequenceExample has the same field number as the features of an Example.
    spec = {**id_features(), "labels": tf.io.VarLenFeature(tf.int64)}
    return tf.io.parse_example(payloads, spec)


def label_rows(labels: tf.SparseTensor, num_rows: int, num_classes: int, where: str) -> Ragged:
    """Return the labels of parsed records, int32, each once a record, ascending.

    Args:
      labels: int64 indices of classes.
      num_rows: number of records.
      num_classes: K.
      where: source of the records, for messages.

    Raises:
      UserError: a label is beyond K.
    """
    rows, values = labels.indices[:, 0].numpy(), labels.values.numpy()
    outside = values[(values < 0) | (values >= num_classes)]
    if len(outside):
        raise UserError(f"{where}: {label_beyond(outside[0], num_classes)}")
    rows, values = np.divmod(np.unique(rows * num_classes + values), num_classes)
    return Ragged.of_lengths(values.astype(np.int32), np.bincount(rows, minlength=num_rows))


def save_index(index: RecordIndex, path: str) -> None:
    """Write an index; the file appears only when it is whole."""
    arrays = {f.name: getattr(index, f.name) for f in dataclasses.fields(index)}
    arrays.update(labels=index.labels.values, starts=index.labels.starts)
    packed = io.BytesIO()  # a zip file is written with seeks, which not every file system has
    np.savez(packed, **arrays)
    write_bytes(path, packed.getvalue())


def load_index(path: str, files: list[str], num_classes: int) -> RecordIndex | None:
    """Return the index in `path`, or None if there is none, or one of other files or classes."""
    if not tf.io.gfile.exists(path):
        return None
    with tf.io.gfile.GFile(path, "rb") as f:
        arrays = dict(np.load(io.BytesIO(f.read())))
    shards, classes = str(arrays.pop("shards")), int(arrays.pop("num_classes"))
    if shards != fingerprint(files)["sha1"] or classes != num_classes:
        return None
    labels = Ragged(arrays.pop("labels"), arrays.pop("starts"))
    return RecordIndex(num_classes=classes, shards=shards, labels=labels, **arrays)
