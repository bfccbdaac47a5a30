"""Serialised records of shards as tf.data streams, which lose nothing after a broken record."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from absl import logging

from yt8m import listing
from yt8m.data.files.bad_records import HASHES, BadRecords
from yt8m.data.files.cache import RecordCache
from yt8m.data.files.counts import ShardCount, ShardCounts
from yt8m.data.files.lengths import read_sound, sound_records
from yt8m.data.files.opening import Opening
from yt8m.data.files.scan import OVERHEAD, scan

SHARDS = 8  # shards that are read together, unless a run chooses another number
_AHEAD = 128  # records in a round of the open shards; of 300 frames, 44 MB


def block_of(shards: int) -> int:
    """Return the records that are read of one of so many open shards before the next one's turn.

    The order of the stream depends on this number.
    """
    return max(1, _AHEAD // shards)


class _Shard(NamedTuple):
    """A shard in a pipeline, as scalar tensors; see `Opening`."""

    name: tf.Tensor
    path: tf.Tensor
    size: tf.Tensor
    modified: tf.Tensor
    readable: tf.Tensor


def _records(
    shard: _Shard,
    bad: BadRecords,
    counts: ShardCounts | None = None,
    chunk: int = 16,
    cache: RecordCache | None = None,
) -> tf.data.Dataset:
    """Return the serialised records of a shard, including those after a broken record.

    Args:
      shard: the shard; if its path is empty, there are no records. If it is not readable by
        TensorFlow, all of it is left to the careful scan.
      bad: counts the broken records.
      counts: keeps the number of records when the shard has been read.
      chunk: number of records read at a time.
      cache: where the shard's copy is, if it is one that is read.
    """
    paths = tf.boolean_mask([shard.path], [shard.readable])
    chunks = read_sound(paths).batch(chunk).map(lambda r: (r, False))
    end = tf.data.Dataset.from_tensors((tf.constant([], tf.string), True))

    # The reader stops silently at a broken record. So the bytes read are compared with the size
    # of the file at its end, and the careful scan reads the rest of a file that falls short.
    def account(seen: tf.Tensor, part: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        found, is_end = part
        lengths = tf.cast(tf.strings.length(found), tf.int64) + OVERHEAD
        read = tf.stack([tf.reduce_sum(lengths), tf.size(lengths, tf.int64)])

        def rest() -> tf.Tensor:
            recovered = tf.numpy_function(ended, [seen, *shard[:-1]], tf.string)
            return tf.ensure_shape(recovered, [None])

        return seen + read, tf.cond(is_end, rest, lambda: found)

    def ended(
        seen: np.ndarray, name: bytes, path: bytes, size: np.ndarray, modified: np.ndarray
    ) -> np.ndarray:
        if not path:
            return np.array([], dtype=object)
        if cache is not None and path != name and _is_intact_at(name, seen[0], size):
            logging.warning(
                "%s is damaged, and is deleted; %s, of which it is a copy, is read instead.",
                path.decode(),
                name.decode(),
            )
            cache.drop(path.decode())
            path = name
        rest = bad.recover(path, seen[0], size, name)
        if counts is not None:
            broken = tuple((b.offset, b.problem) for b in bad.found if b.file == name.decode())
            found = ShardCount(int(size), int(modified), int(seen[1]) + len(rest), broken)
            counts.add(name.decode(), found)
        return rest

    return chunks.concatenate(end).scan(tf.zeros([2], tf.int64), account).unbatch()


def _is_intact_at(shard: bytes, start: np.ndarray, size: np.ndarray) -> bool:
    """Return whether a shard has an intact record at the byte at which its copy has none."""
    if int(start) == int(size):
        return False
    first = next(scan(shard.decode(), int(start)), None)
    return first is not None and first.payload is not None


def read_records(
    files: list[str],
    bad: BadRecords,
    num_readers: int = 8,
    cache: RecordCache | None = None,
    counts: ShardCounts | None = None,
    blanks: Mapping[int, int] | None = None,
    shards: int = SHARDS,
) -> tf.data.Dataset:
    """Return the serialised records of shards read in parallel.

    Args:
      files: shards; the order of the records depends only on them and on `shards`.
      bad: counts the broken records.
      num_readers: shards read in parallel, of those that are open.
      cache: where to read copies of the shards from.
      counts: keeps the number of records of each shard that has been read.
      blanks: the places among `files` of the shards that are not opened, each with the number of
        empty records that are read in place of its own.
      shards: number of shards that are open at once and take turns.
    """
    blanks, block = blanks or {}, block_of(shards)
    opening = Opening(files, bad, cache, blanks)

    def shard(index: tf.Tensor, name: tf.Tensor, blank: tf.Tensor) -> tf.data.Dataset:
        records = _records(_Shard(name, *opening(index)), bad, counts, block, cache)
        if not blanks:
            return records
        return tf.data.Dataset.from_tensors("").repeat(blank).concatenate(records)

    places = range(len(files))
    numbers = np.array([blanks.get(i, 0) for i in places], np.int64)
    names = tf.data.Dataset.from_tensor_slices((np.array(places), files, numbers))
    cycle = min(shards, len(files))
    readers = max(1, min(num_readers, cycle))
    return names.interleave(
        shard,
        cycle_length=cycle,
        block_length=block,
        num_parallel_calls=readers,
        deterministic=True,
    )


def first_records(files: list[str], count: int, bad: BadRecords) -> tf.data.Dataset:
    """Return the first `count` serialised records of each shard, in any order.

    Args:
      files: shards.
      count: number of records.
      bad: counts the broken records among them.
    """
    opening = Opening(files, bad)

    def shard(index: tf.Tensor, name: tf.Tensor) -> tf.data.Dataset:
        opened = _Shard(name, *opening(index))
        return _records(opened, bad, chunk=min(16, count)).take(count)

    return (
        tf.data.Dataset.from_tensor_slices(files)
        .enumerate()
        .interleave(
            shard,
            cycle_length=min(listing.AT_ONCE, len(files)),
            num_parallel_calls=min(listing.AT_ONCE, len(files)),
            deterministic=False,
        )
    )


def first_payloads(path: str, count: int) -> Iterator[bytes]:
    """Yield the first `count` intact records of one shard, also those after a broken one."""
    stream = sound_records(path).take(count)
    seen = found = 0
    for payload in stream.as_numpy_iterator():
        seen, found = seen + len(payload) + OVERHEAD, found + 1
        yield payload
    if found < count and seen < listing.sizes([path])[0]:
        after = (record.payload for record in scan(path, seen) if record.payload is not None)
        yield from itertools.islice(after, count - found)


def without_left_out(records: tf.data.Dataset, bad: BadRecords) -> tf.data.Dataset:
    """Return the records without those that `bad` leaves out, if it leaves out any."""
    if not bad.left_out:
        return records
    known = tf.constant(sorted(bad.left_out), tf.int64)
    return records.filter(
        lambda s: tf.reduce_all(tf.strings.to_hash_bucket_fast(s, HASHES) != known)
    )
