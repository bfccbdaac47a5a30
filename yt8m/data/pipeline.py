"""The one way from shards to batches, for training, evaluation and inference."""

from __future__ import annotations

import functools
import hashlib
import os
from typing import List, Optional, Tuple

import numpy as np
import tensorflow as tf

from yt8m.data.bad_records import BadRecords
from yt8m.data.frame_records import parse_frame_record
from yt8m.data.frame_sampling import FrameSampling
from yt8m.data.schema import RecordSchema
from yt8m.data.segments import parse_segments
from yt8m.data.tfrecord_scan import OVERHEAD
from yt8m.data.video_records import parse_video_batch

_SHUFFLE = {"video": 16384, "frame": 1024}  # serialised records: about 100 and 250 MB
_CHUNK = 64  # records whose bytes are counted together


class RecordCache:
    """Keeps records for later epochs.

    Args:
      where: "memory" keeps serialised records of the first pass; a folder gets local copies of
        the shards (for gs:// data), each written whole, so that a killed run's copies are of use.
    """

    def __init__(self, where: str):
        self.where = where
        self._records: Optional[tf.data.Dataset] = None

    def local(self, path: bytes) -> bytes:
        """Return the path of the local copy of a shard, made now if there is none."""
        name = path.decode()
        stem = hashlib.sha1(name.encode()).hexdigest()[:10] + "-" + os.path.basename(name)
        copy = os.path.join(self.where, stem)
        if not tf.io.gfile.exists(copy):
            tf.io.gfile.makedirs(self.where)
            tf.io.gfile.copy(name, copy + ".tmp", overwrite=True)
            tf.io.gfile.rename(copy + ".tmp", copy, overwrite=True)
        return copy.encode()


def read_records(
    files: List[str], bad: BadRecords, num_readers: int = 8, cache: Optional[RecordCache] = None
) -> tf.data.Dataset:
    """Return serialised records of shards read side by side, always in the same order."""

    def shard(path: tf.Tensor) -> tf.data.Dataset:
        if cache is not None and cache.where != "memory":
            path = tf.ensure_shape(tf.numpy_function(cache.local, [path], tf.string), [])
        records = tf.data.TFRecordDataset(path, buffer_size=1 << 20).ignore_errors()
        chunks = records.batch(_CHUNK).map(lambda r: (r, False))
        end = tf.data.Dataset.from_tensors((tf.constant([], tf.string), True))

        # The reader stops silently at a broken record, so the bytes seen are held against the
        # file's size at its end; only a file that falls short is walked again.
        def account(seen: tf.Tensor, chunk: Tuple) -> Tuple:
            found, is_end = chunk
            size = tf.reduce_sum(tf.cast(tf.strings.length(found), tf.int64) + OVERHEAD)
            found = tf.cond(
                is_end,
                lambda: tf.ensure_shape(tf.numpy_function(bad.recover, [path, seen], tf.string), [None]),
                lambda: found,
            )
            return seen + size, found

        whole = chunks.concatenate(end)
        return whole.scan(tf.constant(0, tf.int64), lambda state, chunk: account(state, chunk)).unbatch()

    paths = tf.data.Dataset.from_tensor_slices(files)
    cycle = max(1, min(num_readers, len(files)))
    return paths.interleave(
        shard, cycle_length=cycle, block_length=16, num_parallel_calls=cycle if cycle > 1 else None, deterministic=True
    )


def build_dataset(
    files: List[str],
    schema: RecordSchema,
    *,
    batch_size: int,
    training: bool = False,
    seed: int = 0,
    epoch: int = 0,
    skip_examples: int = 0,
    sampling: FrameSampling = FrameSampling(),
    num_readers: int = 8,
    shuffle_buffer: int = 0,
    cache: Optional[RecordCache] = None,
    drop_remainder: Optional[bool] = None,
    with_labels: bool = True,
    bad_records: Optional[BadRecords] = None,
    worker: Tuple[int, int] = (0, 1),
    beyond: str = "raise",
) -> tf.data.Dataset:
    """Return the batches of one pass.

    Args:
      files: shards.
      schema: what their records hold.
      batch_size: B.
      training: shuffle shards and records, and drop the last partial batch; otherwise every
        record comes once, in a fixed order.
      seed, epoch: decide the order and the frames drawn; equal ones give an equal stream.
      skip_examples: leave out the first so many of the stream, to go on in mid-epoch. They are
        read but not parsed.
      sampling: of frames.
      num_readers: shards read side by side.
      shuffle_buffer: serialised records shuffled together; 0 is by level.
      cache: keeps records between passes; give the same object to each.
      drop_remainder: of the last batch; by default as `training`.
      with_labels: False leaves labels out, e.g. for a test split.
      bad_records: counts the broken; by default none is allowed.
      worker: (index, count): this worker's part of the shards, or of the records where there are
        fewer shards than workers.
      beyond: "raise" or "drop" a label index beyond the classes.

    Returns:
      Batches {"id": string [B], "frames": uint8 [B, T, D] or "video": float32 [B, D],
      "num_frames": int32 [B], "labels": uint8 [B, K], "weights": float32 [B, K] of segments}.
    """
    bad = bad_records or BadRecords()
    mixed = int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
    index, count = worker
    by_file = count > 1 and len(files) >= count
    mine = files[index::count] if by_file else list(files)
    if cache is not None and cache.where == "memory":
        if cache._records is None:
            cache._records = read_records(mine, bad, num_readers).cache()
        records = cache._records
    else:
        if training:
            mine = [mine[i] for i in np.random.default_rng(mixed).permutation(len(mine))]
        records = read_records(mine, bad, num_readers, cache)
    if count > 1 and not by_file:
        records = records.shard(count, index)
    if training:
        records = records.shuffle(shuffle_buffer or _SHUFFLE[schema.level], seed=mixed, reshuffle_each_iteration=False)
    if schema.segment_labels:
        batches = _segments(records, schema, skip_examples)
        batches = batches.batch(batch_size, drop_remainder=training if drop_remainder is None else drop_remainder)
        return _finish(batches)
    if skip_examples:
        records = records.skip(skip_examples)
    drop = training if drop_remainder is None else drop_remainder
    if schema.level == "video":
        parse = functools.partial(parse_video_batch, schema=schema, with_labels=with_labels, beyond=beyond)
        batches = records.batch(batch_size, drop_remainder=drop).map(parse, num_parallel_calls=2, deterministic=True)
    else:
        parse_one = functools.partial(
            parse_frame_record, schema=schema, sampling=sampling, seed=mixed, with_labels=with_labels, beyond=beyond
        )
        examples = records.enumerate(start=skip_examples).map(
            parse_one, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )
        batches = examples.batch(batch_size, drop_remainder=drop)
    return _finish(batches)


def _segments(records: tf.data.Dataset, schema: RecordSchema, skip: int) -> tf.data.Dataset:
    parse = functools.partial(parse_segments, schema=schema)
    return records.map(parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).unbatch().skip(skip)


def _finish(batches: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    # Shards are dealt out above; TensorFlow's own sharding over workers would deal them out again.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    options.deterministic = True
    return batches.prefetch(2).with_options(options)
