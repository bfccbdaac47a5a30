"""Balanced minibatches: a class is drawn uniformly, and then one of its videos."""

from __future__ import annotations

import struct
import threading

import numpy as np
import tensorflow as tf

from yt8m import listing
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.cache import RecordCache
from yt8m.data.record_index import RecordIndex

_GROUP = 32  # records read together: 8 MB of frames
_HEADER = 12  # bytes before a payload


class BalancedRecords:
    """Serialised records in which the class frequencies are as equal as multi-label videos allow.

    Source: UTS 2.1, docs/sources.md#balanced-minibatches. A class is drawn uniformly from those
    with at least one positive, then one of its positive videos; the video keeps all its labels. An
    epoch has as many draws as there are records; the draws depend only on the seed and the epoch.
    Records are read at their offsets, also from remote shards (on gs:// a cache folder saves many
    small reads).

    Args:
      index: index of the shards.
      files: shards.
      bad_records: stops the pipeline if a shard has changed since it was indexed.
      cache: copies of the shards to read from, or None.
    """

    def __init__(
        self,
        index: RecordIndex,
        files: list[str],
        bad_records: BadRecords,
        cache: RecordCache | None = None,
    ):
        self.index, self.files, self.bad, self.cache = index, list(files), bad_records, cache
        self._records = index.by_class()
        self.classes = np.flatnonzero(self._records.lengths())  # those that have positives
        self._copying = threading.Lock()

    def draws(self, mixed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the classes drawn in an epoch and the records taken for them, int64 [N] each.

        Args:
          mixed: number that depends on seed and epoch.
        """
        rng = np.random.default_rng([mixed, 1])
        drawn = self.classes[rng.integers(len(self.classes), size=self.index.num_records)]
        counts = self._records.lengths()[drawn]
        place = np.minimum((rng.random(len(drawn)) * counts).astype(np.int64), counts - 1)
        return drawn, self._records.values[self._records.starts[drawn] + place]

    def stream(
        self, mixed: int, skip: int = 0, worker: tuple[int, int] = (0, 1)
    ) -> tf.data.Dataset:
        """Return the serialised records of an epoch.

        Args:
          mixed: number that depends on seed and epoch.
          skip: number of this worker's records to leave out at the start; they are not read.
          worker: (index, count) of this worker, which gets a part of the draws.
        """
        wanted = self.draws(mixed)[1][worker[0] :: worker[1]][skip:]
        groups = -(-len(wanted) // _GROUP)

        def read(group: np.ndarray) -> np.ndarray:
            first = int(group) * _GROUP
            return self.read(wanted[first : first + _GROUP])

        def read_group(group: tf.Tensor) -> tf.Tensor:
            return tf.ensure_shape(tf.numpy_function(read, [group], tf.string), [None])

        return (
            tf.data.Dataset.range(groups)
            .map(read_group, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
            .unbatch()
        )

    def read(self, records: np.ndarray) -> np.ndarray:
        """Return the payloads of `records` [n] as bytes objects [n]; each shard is opened once."""
        payloads = np.empty(len(records), dtype=object)
        shards = self.index.shard[records]
        for shard in np.unique(shards):
            path = self.files[shard]
            if self.cache is not None:
                with self._copying:
                    path = self.cache.local(path, listing.status(path))
            places = np.flatnonzero(shards == shard)
            with tf.io.gfile.GFile(path, "rb") as f:
                for place in places[np.argsort(self.index.offset[records[places]])]:
                    payloads[place] = self._payload(f, path, records[place])
        return payloads

    def _payload(self, f: tf.io.gfile.GFile, path: str, record: int) -> bytes:
        size, offset = int(self.index.size[record]), int(self.index.offset[record])
        try:
            f.seek(offset)
            whole = f.read(_HEADER + size)
        except tf.errors.OutOfRangeError:  # the file ends before the record begins
            whole = b""
        if len(whole) != _HEADER + size or struct.unpack("<Q", whole[:8])[0] != size:
            self.bad.refuse(
                f"{path} no longer has a record of {size} bytes at byte {offset}, as it did when"
                " the run began: the shard has changed. Restore it, or start over with"
                " --start_new_model."
            )
        return whole[_HEADER:]
