"""Serialised records of shards as tf.data streams, which lose nothing after a broken record."""

from __future__ import annotations

import tensorflow as tf

from yt8m.data.files.bad_records import HASHES, BadRecords
from yt8m.data.files.cache import RecordCache
from yt8m.data.files.scan import OVERHEAD

_CYCLE = 8  # shards open at once; fixed, because the order of the stream depends on it
_CHUNK = 16  # records whose bytes are counted together; 8 shards times 16 videos are 45 MB


def read_shard(
    name: tf.Tensor, bad: BadRecords, cache: RecordCache | None = None, chunk: int = _CHUNK
) -> tf.data.Dataset:
    """Return the serialised records of a shard, including those after a broken record.

    Args:
      name: path of the shard, a string scalar.
      bad: counts the broken records.
      cache: where to read a copy of the shard from.
      chunk: number of records read at a time.
    """

    def local(encoded: bytes) -> bytes:
        path = encoded.decode()
        # TensorFlow's reader, which is to ignore errors, would try to open a missing file forever.
        if not tf.io.gfile.exists(path):
            bad.refuse(
                f"{path} no longer exists, or is not on this machine; every worker must see the"
                " files that the run began with."
            )
        return path.encode() if cache is None else cache.local(path).encode()

    path = tf.ensure_shape(tf.numpy_function(local, [name], tf.string), [])
    records = tf.data.TFRecordDataset(path, buffer_size=1 << 20).ignore_errors()
    chunks = records.batch(chunk).map(lambda r: (r, False))
    end = tf.data.Dataset.from_tensors((tf.constant([], tf.string), True))

    # The reader stops silently at a broken record. So the bytes read are compared with the size
    # of the file at its end, and the careful scan reads the rest of a file that falls short.
    def account(seen: tf.Tensor, part: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        found, is_end = part
        size = tf.reduce_sum(tf.cast(tf.strings.length(found), tf.int64) + OVERHEAD)

        def rest() -> tf.Tensor:
            recovered = tf.numpy_function(bad.recover, [path, seen, name], tf.string)
            return tf.ensure_shape(recovered, [None])

        return seen + size, tf.cond(is_end, rest, lambda: found)

    return chunks.concatenate(end).scan(tf.constant(0, tf.int64), account).unbatch()


def read_records(
    files: list[str], bad: BadRecords, num_readers: int = 8, cache: RecordCache | None = None
) -> tf.data.Dataset:
    """Return the serialised records of shards read in parallel.

    Args:
      files: shards; the order of the records depends only on them.
      bad: counts the broken records.
      num_readers: shards read in parallel, 8 at most.
      cache: where to read copies of the shards from.
    """

    def shard(name: tf.Tensor) -> tf.data.Dataset:
        return read_shard(name, bad, cache)

    paths = tf.data.Dataset.from_tensor_slices(files)
    cycle = min(_CYCLE, len(files))
    readers = max(1, min(num_readers, cycle))
    return paths.interleave(
        shard, cycle_length=cycle, block_length=16, num_parallel_calls=readers, deterministic=True
    )


def without_left_out(records: tf.data.Dataset, bad: BadRecords) -> tf.data.Dataset:
    """Return the records without those that `bad` leaves out, if it leaves out any."""
    if not bad.left_out:
        return records
    known = tf.constant(sorted(bad.left_out), tf.int64)
    return records.filter(
        lambda s: tf.reduce_all(tf.strings.to_hash_bucket_fast(s, HASHES) != known)
    )
