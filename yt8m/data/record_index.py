"""Position, id and labels of each training record, found in one pass and kept with the run.

It is needed to read single records in any order, and to choose labels over the whole set. For the
full release (6 million videos) it takes about 200 MB.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import io
import threading
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple

import numpy as np
import tensorflow as tf

from yt8m import listing
from yt8m.data.files.bad_records import BadRecord, BadRecords, label_beyond
from yt8m.data.files.lengths import sound_records
from yt8m.data.files.scan import OVERHEAD, scan
from yt8m.data.files.shards import fingerprint
from yt8m.data.ragged import Ragged
from yt8m.data.records.isolate import parse_or_isolate
from yt8m.data.records.video import first_id, id_features
from yt8m.data.schema import Level
from yt8m.errors import UserError
from yt8m.files import write_bytes
from yt8m.stored import Damaged, exists, intact, read_arrays

_TOGETHER = {"video": 1024, "frame": 64}  # records parsed together
_SHARDS_AT_ONCE = 8
_REPORTED_EVERY = 200_000  # records
# TensorFlow 2.21 holds a lock while Python makes an operation's exception, and another thread that
# waits for that lock does not let go of the interpreter: if two threads fail at once, both may wait
# for ever. So in the threads below, the end of a shard is no exception, and one parses at a time.
_may_fail = threading.Lock()


@dataclasses.dataclass(frozen=True)
class RecordIndex:
    """N intact records, ordered by shard and by byte offset.

    Attributes:
      num_classes: K.
      shards: fingerprint of the files, see `files.shards.fingerprint`.
      shard: int32 [N], index of the file.
      offset: int64 [N], first byte of the record in it.
      size: int64 [N], bytes of the payload.
      ids: bytes [N].
      labels: int32 labels of each record, ascending and without duplicates.
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


def build_index(
    files: list[str],
    level: Level,
    num_classes: int,
    bad_records: BadRecords | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> RecordIndex:
    """Read every record of the shards once, including the checksums.

    Records that are broken or do not parse are left out and counted.

    Args:
      files: shards.
      level: "video" or "frame"; decides how many records are held at a time.
      num_classes: K.
      bad_records: counts broken records; by default none is allowed.
      say: reports progress, every few hundred thousand records.

    Raises:
      UserError: a label is beyond K, or too many records are broken.
    """
    bad = bad_records or BadRecords()
    parts: list[_Part] = []
    read_so_far = reported = 0

    def read(shard: int) -> list[_Part]:
        return list(_parts(files[shard], shard, level, num_classes, bad))

    with bad.explained(num_classes), concurrent.futures.ThreadPoolExecutor(_SHARDS_AT_ONCE) as pool:
        try:
            for shard in pool.map(read, range(len(files))):
                parts += shard
                read_so_far += sum(len(part.offset) for part in shard)
                if read_so_far - reported >= _REPORTED_EVERY:
                    reported = read_so_far
                    say(f"{read_so_far:,} records read")
        except ValueError as error:  # from `bad`, raised here and not within a pipeline
            raise UserError(str(error)) from None
    parts = parts or [_Part.empty()]
    return RecordIndex(
        num_classes=num_classes,
        shards=str(fingerprint(files)["sha1"]),
        shard=np.concatenate([p.shard for p in parts]),
        offset=np.concatenate([p.offset for p in parts]),
        size=np.concatenate([p.size for p in parts]),
        ids=np.concatenate([p.ids for p in parts]),
        labels=Ragged.joined([p.labels for p in parts]),
    )


class _Part(NamedTuple):
    """Some records of one shard; see `RecordIndex`."""

    shard: np.ndarray
    offset: np.ndarray
    size: np.ndarray
    ids: np.ndarray
    labels: Ragged

    @classmethod
    def empty(cls) -> _Part:
        none = np.zeros(0, np.int64)
        labels = Ragged.of_lengths(none.astype(np.int32), none)
        return cls(none.astype(np.int32), none, none, none.astype("S1"), labels)


def _parts(
    path: str, shard: int, level: Level, num_classes: int, bad: BadRecords
) -> Iterator[_Part]:
    """Yield the records of a shard, one part per batch."""

    def part(payloads: tf.Tensor, offsets: np.ndarray) -> Iterator[_Part]:
        with _may_fail:
            parsed, problems = parse_or_isolate(_parse, payloads)
        for offset, problem in zip(offsets, problems):
            if problem:
                bad.add(BadRecord(path, int(offset), problem))
        if parsed is not None:
            good = np.array([problem is None for problem in problems])
            count = int(good.sum())
            yield _Part(
                shard=np.full(count, shard, np.int32),
                offset=offsets[good],
                size=_sizes(payloads)[good],
                ids=first_id(parsed).numpy().astype(np.bytes_),
                labels=_label_rows(parsed["labels"], count, num_classes, path),
            )

    seen = 0
    for payloads in _elements(sound_records(path).batch(_TOGETHER[level])):
        sizes = _sizes(payloads) + OVERHEAD
        yield from part(payloads, seen + np.cumsum(sizes) - sizes)
        seen += int(sizes.sum())
    if seen == listing.sizes([path])[0]:
        return
    for record in scan(path, seen):  # the fast reader stopped at a broken record
        if record.payload is None:
            bad.add(BadRecord(path, record.offset, str(record.problem)))
        else:
            yield from part(tf.constant([record.payload]), np.array([record.offset], np.int64))


def _elements(dataset: tf.data.Dataset) -> Iterator[tf.Tensor]:
    """Yield what a dataset holds; unlike a loop's, its end raises no exception of TensorFlow."""
    elements = iter(dataset)
    while (element := elements.get_next_as_optional()).has_value():
        yield element.get_value()


def _sizes(payloads: tf.Tensor) -> np.ndarray:
    return tf.strings.length(payloads).numpy().astype(np.int64)


def _parse(payloads: tf.Tensor) -> dict[str, Any]:
    # The context of a SequenceExample has the same field number as the features of an Example.
    spec = {**id_features(), "labels": tf.io.VarLenFeature(tf.int64)}
    return tf.io.parse_example(payloads, spec)


def _label_rows(labels: tf.SparseTensor, num_rows: int, num_classes: int, path: str) -> Ragged:
    """Return the labels of parsed records, int32, ascending and without duplicates per record."""
    rows, values = labels.indices[:, 0].numpy(), labels.values.numpy()
    outside = values[(values < 0) | (values >= num_classes)]
    if len(outside):
        raise UserError(f"{path}: {label_beyond(outside[0], num_classes)}")
    rows, values = np.divmod(np.unique(rows * num_classes + values), num_classes)
    return Ragged.of_lengths(values.astype(np.int32), np.bincount(rows, minlength=num_rows))


def save_index(index: RecordIndex, path: str) -> None:
    """Write an index; the file appears only when it is complete."""
    arrays = {f.name: getattr(index, f.name) for f in dataclasses.fields(index)}
    arrays.update(labels=index.labels.values, starts=index.labels.starts)
    packed = io.BytesIO()  # a zip file is written with seeks, which not every file system has
    np.savez(packed, **arrays)
    write_bytes(path, packed.getvalue())


def load_index(path: str, files: list[str], num_classes: int) -> RecordIndex | None:
    """Return the index in `path`; None if it is missing, or is for other files or classes."""
    if not exists(path):
        return None
    try:
        with intact(path, "it is made again."):
            arrays = read_arrays(path)
            shards, classes = str(arrays.pop("shards")), int(arrays.pop("num_classes"))
            labels = Ragged(arrays.pop("labels"), arrays.pop("starts"))
            index = RecordIndex(num_classes=classes, shards=shards, labels=labels, **arrays)
            if len({len(index.shard), len(index.offset), len(index.size), len(index.ids)}) > 1:
                raise ValueError("its arrays differ in length")
    except Damaged as damaged:
        print(damaged, flush=True)
        return None
    if shards != fingerprint(files)["sha1"] or classes != num_classes:
        return None
    return index
