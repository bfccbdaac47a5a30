"""Where each record of a training set lies, its id and its labels: found by one pass, kept with the run.

It is what a sampler that picks single records needs, and what decides about labels over the whole
set. The full release (6 million videos) takes some 200 MB.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import io

import numpy as np
import tensorflow as tf

from yt8m.data.files.bad_records import (
    PARSE_ERRORS,
    BadRecord,
    BadRecords,
    label_beyond,
    message_of,
    parse_error,
)
from yt8m.data.files.scan import OVERHEAD, scan
from yt8m.data.files.shards import fingerprint
from yt8m.data.records.video import first_id, id_features
from yt8m.errors import UserError

_TOGETHER = {"video": 1024, "frame": 64}  # records parsed in one go
_SHARDS_AT_ONCE = 8


@dataclasses.dataclass(frozen=True)
class RecordIndex:
    """N whole records, in the order of the shards and of their bytes.

    Attributes:
      num_classes: K.
      shards: the files' fingerprint, see `data.sources.fingerprint`.
      shard: int32 [N], index of the file.
      offset: int64 [N], first byte of the record in it.
      size: int64 [N], bytes of the payload.
      ids: bytes [N].
      labels: int32 [L], the records' labels one after the other, each once a record, ascending.
      starts: int64 [N + 1]; record i has `labels[starts[i] : starts[i + 1]]`.
    """

    num_classes: int
    shards: str
    shard: np.ndarray
    offset: np.ndarray
    size: np.ndarray
    ids: np.ndarray
    labels: np.ndarray
    starts: np.ndarray

    @property
    def num_records(self) -> int:
        """N."""
        return len(self.offset)

    def positives(self) -> np.ndarray:
        """Return n_c, how many records have each class, int64 [K]."""
        return np.bincount(self.labels, minlength=self.num_classes)

    def records_of_labels(self) -> np.ndarray:
        """Return the record of each entry of `labels`, int64 [L]."""
        return np.repeat(np.arange(self.num_records), np.diff(self.starts))

    def by_class(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (records [L], starts [K + 1]): class c is in `records[starts[c] : starts[c + 1]]`, ascending."""
        order = np.argsort(self.labels, kind="stable")
        return self.records_of_labels()[order], np.concatenate([[0], np.cumsum(self.positives())])


def build_index(
    files: list[str], level: str, num_classes: int, bad_records: BadRecords | None = None
) -> RecordIndex:
    """Read every record of the shards once, checksums included; those that are broken or do not parse are left out and counted.

    Args:
      files: shards.
      level: "video" or "frame"; decides how many records are held at a time, no more.
      num_classes: K.
      bad_records: by default none is allowed.

    Raises:
      UserError: a label beyond K, or too many broken records.
    """
    bad = bad_records or BadRecords()
    with bad.explained(num_classes), concurrent.futures.ThreadPoolExecutor(_SHARDS_AT_ONCE) as pool:
        try:
            parts = list(pool.map(lambda path: _shard(path, level, num_classes, bad), files))
        except ValueError as error:  # of `bad`, raised here and not within a pipeline
            raise UserError(str(error)) from None
    joined = {
        key: np.concatenate([p[key] for p in parts])
        for key in ("offset", "size", "ids", "labels", "each")
    }
    return RecordIndex(
        num_classes=num_classes,
        shards=str(fingerprint(files)["sha1"]),
        shard=np.repeat(np.arange(len(files), dtype=np.int32), [len(p["offset"]) for p in parts]),
        offset=joined["offset"],
        size=joined["size"],
        ids=joined["ids"],
        labels=joined["labels"],
        starts=np.concatenate([[0], np.cumsum(joined["each"])]).astype(np.int64),
    )


def _shard(path: str, level: str, num_classes: int, bad: BadRecords) -> dict[str, np.ndarray]:
    """Return offsets, sizes, ids, labels and labels each, of one shard."""
    spec = {**id_features(), "labels": tf.io.VarLenFeature(tf.int64)}
    found: dict[str, list[np.ndarray]] = {
        key: [] for key in ("offset", "size", "ids", "labels", "each")
    }

    def keep(payloads: tf.Tensor, offsets: np.ndarray) -> None:
        try:
            parsed = tf.io.parse_example(
                payloads, spec
            )  # a SequenceExample's context lies where an Example's features do
        except PARSE_ERRORS as error:
            if len(offsets) == 1:
                bad.add(
                    BadRecord(
                        path,
                        int(offsets[0]),
                        f"cannot be parsed ({parse_error(message_of(error))})",
                    )
                )
                return
            for i in range(len(offsets)):  # which of them it is, the error does not say
                keep(payloads[i : i + 1], offsets[i : i + 1])
            return
        rows, values = parsed["labels"].indices[:, 0].numpy(), parsed["labels"].values.numpy()
        outside = values[(values < 0) | (values >= num_classes)]
        if len(outside):
            raise UserError(f"{path}: {label_beyond(outside[0], num_classes)}")
        rows, values = np.divmod(np.unique(rows * num_classes + values), num_classes)
        found["offset"].append(offsets)
        found["size"].append(tf.strings.length(payloads).numpy().astype(np.int64))
        found["ids"].append(first_id(parsed).numpy().astype(np.bytes_))
        found["labels"].append(values.astype(np.int32))
        found["each"].append(np.bincount(rows, minlength=len(offsets)))

    seen = 0
    for payloads in (
        tf.data.TFRecordDataset(path, buffer_size=1 << 20).ignore_errors().batch(_TOGETHER[level])
    ):
        lengths = tf.strings.length(payloads).numpy().astype(np.int64) + OVERHEAD
        keep(payloads, seen + np.cumsum(lengths) - lengths)
        seen += int(lengths.sum())
    if (
        seen != tf.io.gfile.stat(path).length
    ):  # the fast reader stops at a broken record; the careful one goes on
        for record in scan(path, seen):
            if record.problem is None:
                keep(tf.constant([record.payload]), np.array([record.offset], np.int64))
            else:
                bad.add(BadRecord(path, record.offset, record.problem))
    kinds = {
        "offset": np.int64,
        "size": np.int64,
        "ids": "S1",
        "labels": np.int32,
        "each": np.int64,
    }
    return {
        key: np.concatenate(parts) if parts else np.zeros(0, kinds[key])
        for key, parts in found.items()
    }


def save_index(index: RecordIndex, path: str) -> None:
    """Write an index whole or not at all."""
    packed = io.BytesIO()  # a zip file is written with seeks, which not every file system has
    np.savez(
        packed, **{field.name: getattr(index, field.name) for field in dataclasses.fields(index)}
    )
    with tf.io.gfile.GFile(path + ".tmp", "wb") as f:
        f.write(packed.getvalue())
    tf.io.gfile.rename(path + ".tmp", path, overwrite=True)


def load_index(path: str, files: list[str], num_classes: int) -> RecordIndex | None:
    """Return the index of `path`, or None where there is none, or it is of other files or classes."""
    if not tf.io.gfile.exists(path):
        return None
    with tf.io.gfile.GFile(path, "rb") as f:
        values = dict(np.load(io.BytesIO(f.read())))
    index = RecordIndex(
        **{**values, "num_classes": int(values["num_classes"]), "shards": str(values["shards"])}
    )
    same = index.num_classes == num_classes and index.shards == fingerprint(files)["sha1"]
    return index if same else None
