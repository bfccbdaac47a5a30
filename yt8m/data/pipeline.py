"""The one way from shards to batches, for training, evaluation and inference."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.data.balanced import BalancedRecords
from yt8m.data.files.bad_records import HASHES, PARSE_ERRORS, BadRecords
from yt8m.data.files.scan import OVERHEAD
from yt8m.data.records.check import leave_out_unparsable
from yt8m.data.records.frame import parse_frame_record
from yt8m.data.records.sampling import FrameSampling
from yt8m.data.records.segments import parse_segments, parse_windows
from yt8m.data.records.video import parse_video_batch
from yt8m.data.schema import RecordSchema

_SHUFFLE = {"video": 16384, "frame": 1024}  # serialised records: about 100 and 250 MB
_CYCLE = 8  # shards open at once; fixed, since the order of the stream hangs on it
_CHUNK = 16  # records whose bytes are counted together; 8 shards times 16 videos are 45 MB
_MEMORY = "ram://yt8m-records"  # a file system that TensorFlow keeps in this process


class RecordCache:
    """Keeps copies of the shards for later epochs; the order of the records is as without it.

    Args:
      where: "memory", or a local folder (for gs:// data). Each copy is written whole, so that those
        in the folder of a killed run are of use.
    """

    def __init__(self, where: str):
        self.where = _MEMORY if where == "memory" else where

    def local(self, path: bytes) -> bytes:
        """Return the path of the copy of a shard, made now if there is none."""
        name = path.decode()
        about = tf.io.gfile.stat(name)  # a shard that was written anew is copied anew
        key = f"{name} {about.length} {about.mtime_nsec}"
        stem = hashlib.sha1(key.encode()).hexdigest()[:10] + "-" + os.path.basename(name)
        copy = os.path.join(self.where, stem)
        if not tf.io.gfile.exists(copy):
            tf.io.gfile.makedirs(self.where)
            tf.io.gfile.copy(name, copy + ".tmp", overwrite=True)
            tf.io.gfile.rename(copy + ".tmp", copy, overwrite=True)
        return copy.encode()


def read_shard(
    name: tf.Tensor, bad: BadRecords, cache: RecordCache | None = None, chunk: int = _CHUNK
) -> tf.data.Dataset:
    """Return the serialised records of the shard `name`, those behind a broken one too, read `chunk` at a time."""

    def found(name: bytes) -> bytes:
        if not tf.io.gfile.exists(
            name.decode()
        ):  # the reader, told to pass over errors, would try it for ever
            bad.refuse(
                f"{name.decode()} is not there any more, or not on this machine; every worker must see the files that the run began with."
            )
        return cache.local(name) if cache is not None else name

    path = tf.ensure_shape(tf.numpy_function(found, [name], tf.string), [])
    records = tf.data.TFRecordDataset(path, buffer_size=1 << 20).ignore_errors()
    chunks = records.batch(chunk).map(lambda r: (r, False))
    end = tf.data.Dataset.from_tensors((tf.constant([], tf.string), True))

    # The reader stops silently at a broken record, so the bytes seen are held against the
    # file's size at its end; only a file that falls short is walked again.
    def account(seen: tf.Tensor, chunk: tuple) -> tuple:
        found, is_end = chunk
        size = tf.reduce_sum(tf.cast(tf.strings.length(found), tf.int64) + OVERHEAD)
        found = tf.cond(
            is_end,
            lambda: tf.ensure_shape(
                tf.numpy_function(bad.recover, [path, seen, name], tf.string), [None]
            ),
            lambda: found,
        )
        return seen + size, found

    whole = chunks.concatenate(end)
    return whole.scan(
        tf.constant(0, tf.int64), lambda state, chunk: account(state, chunk)
    ).unbatch()


def read_records(
    files: list[str], bad: BadRecords, num_readers: int = 8, cache: RecordCache | None = None
) -> tf.data.Dataset:
    """Return serialised records of shards read side by side; their order depends on `files` alone."""

    def shard(name: tf.Tensor) -> tf.data.Dataset:
        return read_shard(name, bad, cache)

    paths = tf.data.Dataset.from_tensor_slices(files)
    cycle = min(_CYCLE, len(files))
    readers = max(1, min(num_readers, cycle))
    return paths.interleave(
        shard, cycle_length=cycle, block_length=16, num_parallel_calls=readers, deterministic=True
    )


def _shuffled(examples: tf.data.Dataset, buffer: int, seed: int) -> tf.data.Dataset:
    """Shuffle by `seed` alone: `Dataset.shuffle` mixes in the program's global seed, whatever that happens to be."""

    def in_own_graph(_: tf.Tensor) -> tf.data.Dataset:
        tf.random.set_seed(seed)  # of the graph that is being traced, not of the program
        return examples.shuffle(buffer, seed=seed, reshuffle_each_iteration=False)

    return tf.data.Dataset.from_tensors(0).flat_map(in_own_graph)


def build_dataset(
    files: list[str],
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
    cache: RecordCache | None = None,
    drop_remainder: bool | None = None,
    with_labels: bool = True,
    bad_records: BadRecords | None = None,
    worker: tuple[int, int] = (0, 1),
    beyond: str = "raise",
    balanced: BalancedRecords | None = None,
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
      num_readers: shards read at the same time, 8 at most; the order does not depend on it.
      shuffle_buffer: serialised records (and then segments) shuffled together; 0 is by level.
      cache: keeps records between passes; the order does not depend on it.
      drop_remainder: of the last batch; by default as `training`.
      with_labels: False leaves labels out, e.g. for a test split; in place of the rated segments it then gives
        all consecutive windows of each video.
      bad_records: counts the broken; by default none is allowed. Of those that do not parse it must have been
        told (`leave_out_unparsable`), or they end the pass with an error; see `read_batches`.
      worker: (index, count): this worker's part of the shards, or of the records where there are
        fewer shards than workers.
      beyond: "raise" or "drop" a label index beyond the classes.
      balanced: draws the records of whole videos in place of the shuffled shards.

    Returns:
      Batches {"id": string [B], "frames": uint8 [B, T, D] or "video": float32 [B, D],
      "num_frames": int32 [B], "labels": uint8 [B, K], "weights": float32 [B, K] of segments}; beside
      frames "video" has the features of whole videos [B, E] that the schema names.
    """
    bad = bad_records or BadRecords()
    mixed = int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
    index, count = worker
    by_file = count > 1 and len(files) >= count
    mine = files[index::count] if by_file else list(files)
    buffer = shuffle_buffer or _SHUFFLE[schema.level]
    if balanced is not None:
        records = balanced.stream(mixed, skip_examples, worker)
    else:
        if training:
            mine = [mine[i] for i in np.random.default_rng(mixed).permutation(len(mine))]
        records = read_records(mine, bad, num_readers, cache)
        if count > 1 and not by_file:
            records = records.shard(count, index)
        if training:
            records = _shuffled(records, buffer, mixed)
    drop = training if drop_remainder is None else drop_remainder
    if skip_examples and balanced is None and not schema.segment_labels:
        records = records.skip(skip_examples)
    # After the shuffle and the skip, so that the stream is the one that failed, without those records.
    records = _without(records, bad)
    if schema.segment_labels:
        rated = functools.partial(parse_segments, schema=schema, beyond=beyond)
        parse_all = rated if with_labels else functools.partial(parse_windows, schema=schema)
        segments = records.map(
            parse_all, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        ).unbatch()
        if training:  # a video's segments, which are much alike, must not share a batch
            segments = _shuffled(segments, buffer, mixed)
        return _finish(segments.skip(skip_examples).batch(batch_size, drop_remainder=drop))
    if schema.level == "video":
        parse = functools.partial(
            parse_video_batch, schema=schema, with_labels=with_labels, beyond=beyond
        )
        batches = records.batch(batch_size, drop_remainder=drop).map(
            parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )
    else:
        parse_one = functools.partial(
            parse_frame_record,
            schema=schema,
            sampling=sampling,
            seed=mixed,
            with_labels=with_labels,
            beyond=beyond,
        )
        examples = records.enumerate(start=skip_examples).map(
            parse_one, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )
        batches = examples.batch(batch_size, drop_remainder=drop)
    return _finish(batches)


def whole_rounds(batches: tf.data.Dataset, replicas: int) -> tf.data.Dataset:
    """Return the batches, dealt out one by one, without the last few of which not every replica would have one.

    A TPU's cores, once some of them have begun a step, wait in its sum for those that found no data.
    """
    return batches.batch(replicas, drop_remainder=True).unbatch()


def read_batches(
    files: list[str],
    schema: RecordSchema,
    bad_records: BadRecords,
    with_labels: bool = True,
    **settings: Any,
) -> Iterator[dict[str, tf.Tensor]]:
    """Yield the batches of one pass in a fixed order, without the records that cannot be parsed, which `bad_records` counts.

    Args:
      files, schema, bad_records, with_labels, **settings: see `build_dataset`; not for training.

    Raises:
      UserError: more records than allowed cannot be parsed; it names one by file and byte.
    """

    def batches(skip: int) -> tf.data.Dataset:
        return build_dataset(
            files,
            schema,
            bad_records=bad_records,
            with_labels=with_labels,
            skip_examples=skip,
            **settings,
        )

    done = 0
    try:
        for batch in batches(0):
            yield batch
            done += len(batch["id"])
        return
    except PARSE_ERRORS as error:
        if not leave_out_unparsable(error, files, schema, bad_records, with_labels):
            raise
    yield from batches(done)


def _without(records: tf.data.Dataset, bad: BadRecords) -> tf.data.Dataset:
    """Return the records but those that `bad` leaves out; where there are none, the very same."""
    if not bad.left_out:
        return records
    known = tf.constant(sorted(bad.left_out), tf.int64)
    return records.filter(
        lambda s: tf.reduce_all(tf.strings.to_hash_bucket_fast(s, HASHES) != known)
    )


def _finish(batches: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    # Shards are dealt out above; TensorFlow's own sharding over workers would deal them out again.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    options.deterministic = True
    return batches.prefetch(2).with_options(options)
