"""The input pipeline from shards to batches, for training, evaluation and inference."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any, Callable, NamedTuple

import numpy as np
import tensorflow as tf

from yt8m.data.balanced import BalancedRecords
from yt8m.data.files.bad_records import PARSE_ERRORS, BadRecords
from yt8m.data.files.cache import RecordCache
from yt8m.data.files.counts import ShardCounts
from yt8m.data.files.finished import Finished
from yt8m.data.files.reader import SHARDS, read_records, without_left_out
from yt8m.data.records.check import leave_out_unparsable
from yt8m.data.records.frame import parse_frame_record
from yt8m.data.records.labels import Beyond
from yt8m.data.records.sampling import ALL_FRAMES, FrameSampling
from yt8m.data.records.segments import parse_segments, parse_windows
from yt8m.data.records.video import parse_video_batch
from yt8m.data.schema import RecordSchema

_SHUFFLE = {"video": 16384, "frame": 1024}  # serialised records: about 100 and 250 MB


@tf.autograph.experimental.do_not_convert  # Nothing here needs AutoGraph, which takes 0.3 s.
def build_dataset(
    files: list[str],
    schema: RecordSchema,
    *,
    batch_size: int,
    training: bool = False,
    seed: int = 0,
    epoch: int = 0,
    skip_examples: int = 0,
    skip_records: int = 0,
    sampling: FrameSampling = ALL_FRAMES,
    num_readers: int = 8,
    shuffle_buffer: int = 0,
    shuffle_shards: int = SHARDS,
    cache: RecordCache | None = None,
    drop_remainder: bool | None = None,
    with_labels: bool = True,
    bad_records: BadRecords | None = None,
    worker: tuple[int, int] = (0, 1),
    counts: ShardCounts | None = None,
    beyond: Beyond = "raise",
    balanced: BalancedRecords | None = None,
) -> tf.data.Dataset:
    """Return the batches of one pass.

    Args:
      files: shards.
      schema: schema of their records.
      batch_size: B.
      training: shuffle shards and records and drop the last partial batch; otherwise every
        record comes once, in a fixed order.
      seed: with `epoch`, decides the order and the frames drawn; equal ones give an equal stream.
      epoch: number of the pass.
      skip_examples: number of examples to leave out at the start of the stream, to resume within
        an epoch. They are not parsed, and shards that have no others are not opened if `counts`
        knows them.
      skip_records: number of records to leave out before that, for the segments of records in a
        fixed order.
      sampling: which frames of a video are read.
      num_readers: shards read in parallel; the order does not depend on it.
      shuffle_buffer: number of serialised records (and then of segments) shuffled together; 0
        takes 16384 at video level and 1024 at frame level, as runs did before they recorded it.
      shuffle_shards: number of shards that are read together in training; 0 takes 8, as above.
      cache: keeps records between passes; the order does not depend on it.
      drop_remainder: whether to drop the last partial batch; None does so in training.
      with_labels: False leaves labels out, e.g. for a test split; in place of the rated segments
        it gives all consecutive windows of each video.
      bad_records: counts broken records; by default none is allowed. Records that do not parse
        end the pass with an error unless `leave_out_unparsable` has found them before; see
        `read_batches`.
      worker: (index, count) of this worker, which gets a part of the shards, or of the records if
        there are fewer shards than workers.
      counts: keeps the number of records of each shard that is read, and knows those of the shards
        that the run has read before.
      beyond: "raise" an error for a label index beyond the classes, or "drop" the label.
      balanced: draws the records of whole videos in place of the shuffled shards.

    Returns:
      Batches {"id": string [B], "frames": [B, T, D] of uint8 or floats, or "video": float32 [B, D],
      "num_frames": int32 [B], "labels": uint8 [B, K]}, with "weights": float32 [B, K] for rated
      segments, and for windows with "record": int64 [B], the place of the video's record. Next to
      frames, "video" has the features of whole videos [B, E] that the schema names.
    """
    bad = bad_records or BadRecords()
    plan = _Plan(
        schema=schema,
        batch_size=batch_size,
        training=training,
        seed=int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]),
        skip=skip_examples,
        skip_records=skip_records if schema.segment_labels else skip_examples,
        buffer=shuffle_buffer or _SHUFFLE[schema.level],
        sampling=sampling,
        drop_remainder=training if drop_remainder is None else drop_remainder,
        with_labels=with_labels,
        beyond=beyond,
    )
    if balanced is None:
        together = (training and shuffle_shards) or SHARDS
        finished = Finished(counts, (epoch, skip_examples * worker[1]), bad, together)
        records = _ordered(
            files,
            plan,
            worker,
            finished,
            lambda own, blanks: read_records(
                own, bad, num_readers, cache, counts, blanks, together
            ),
        )
    else:
        records = balanced.stream(plan.seed, skip_examples, worker)
    # After the shuffle and the skip, so that this is the stream that failed without those records.
    records = without_left_out(records, bad)
    return _finished(READERS[plan.kind](records, plan))


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What the readers need to know about a pass; `seed` depends on seed and epoch."""

    schema: RecordSchema
    batch_size: int
    training: bool
    seed: int
    skip: int
    skip_records: int
    buffer: int
    sampling: FrameSampling
    drop_remainder: bool
    with_labels: bool
    beyond: Beyond

    @property
    def kind(self) -> str:
        """The key of the reader in `READERS`."""
        return "segments" if self.schema.segment_labels else self.schema.level

    def shuffled(self, examples: tf.data.Dataset) -> tf.data.Dataset:
        """Shuffle by the given seed only: `Dataset.shuffle` mixes in the global seed."""

        def in_own_graph(_: tf.Tensor) -> tf.data.Dataset:
            tf.random.set_seed(self.seed)  # of the graph that is being traced, not of the program
            return examples.shuffle(self.buffer, seed=self.seed, reshuffle_each_iteration=False)

        return tf.data.Dataset.from_tensors(0).flat_map(in_own_graph)

    def batched(self, examples: tf.data.Dataset) -> tf.data.Dataset:
        return examples.batch(self.batch_size, drop_remainder=self.drop_remainder)


def _ordered(
    files: list[str],
    plan: _Plan,
    worker: tuple[int, int],
    finished: Finished,
    read: Callable[[list[str], dict[int, int]], tf.data.Dataset],
) -> tf.data.Dataset:
    """Return this worker's serialised records, shuffled in training, without those to skip."""
    index, count = worker
    by_file = count > 1 and len(files) >= count
    own = files[index::count] if by_file else list(files)
    if plan.training:
        own = [own[i] for i in np.random.default_rng(plan.seed).permutation(len(own))]
    # A record has several segments, so those are skipped once they are parsed.
    skip = plan.skip_records
    by_record = count > 1 and not by_file
    shuffle = plan.shuffled if plan.training else None
    blanks = {} if by_record else finished.shards(own, skip, shuffle)
    records = read(own, blanks)
    if by_record:
        records = records.shard(count, index)
    if plan.training:
        records = plan.shuffled(records)
    return records.skip(skip) if skip else records


def _parsed(records: tf.data.Dataset, parse: Callable[..., Any]) -> tf.data.Dataset:
    return records.map(parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _video_batches(records: tf.data.Dataset, plan: _Plan) -> tf.data.Dataset:
    parse = functools.partial(
        parse_video_batch, schema=plan.schema, with_labels=plan.with_labels, beyond=plan.beyond
    )
    return _parsed(plan.batched(records), parse)


def _frame_batches(records: tf.data.Dataset, plan: _Plan) -> tf.data.Dataset:
    parse = functools.partial(
        parse_frame_record,
        schema=plan.schema,
        sampling=plan.sampling,
        seed=plan.seed,
        with_labels=plan.with_labels,
        beyond=plan.beyond,
    )
    return plan.batched(_parsed(records.enumerate(start=plan.skip), parse))


def _segment_batches(records: tf.data.Dataset, plan: _Plan) -> tf.data.Dataset:
    if plan.with_labels:
        parse = functools.partial(parse_segments, schema=plan.schema, beyond=plan.beyond)
    else:
        records = records.enumerate(start=plan.skip_records)
        parse = functools.partial(_numbered_windows, schema=plan.schema)
    segments = _parsed(records, parse).unbatch()
    if plan.training:  # a video's segments are alike and must not share a batch
        segments = plan.shuffled(segments)
    return plan.batched(segments.skip(plan.skip))


def _numbered_windows(
    place: tf.Tensor, serialized: tf.Tensor, schema: RecordSchema
) -> dict[str, tf.Tensor]:
    windows = parse_windows(serialized, schema)
    return {**windows, "record": tf.repeat(place, tf.size(windows["id"]))}


READERS = {"video": _video_batches, "frame": _frame_batches, "segments": _segment_batches}


def _finished(batches: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    # `_ordered` deals out the shards; TensorFlow's own sharding over workers would do it again.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    options.deterministic = True
    # The thread that tunes a pipeline may miss that its iterator is being destroyed, and sleep on
    # for up to a minute, which delays the end of the run. Reading is as fast without it.
    options.autotune.enabled = False
    return batches.prefetch(2).with_options(options)


def whole_rounds(batches: tf.data.Dataset, replicas: int) -> tf.data.Dataset:
    """Return the batches without the last few, which would not suffice for every replica.

    On a TPU, cores that have begun a step would wait in its all-reduce for those that found no
    data.
    """
    # `batch` and `unbatch` would copy the frames twice: 10 ms a round of 8 x 16 videos, not 0.6.
    return batches.window(replicas, drop_remainder=True).flat_map(tf.data.Dataset.zip)


class Done(NamedTuple):
    """How much of a pass in a fixed order is done; the next process begins after it.

    Attributes:
      examples: those that are done.
      record: place of the record of the last window; 0 unless segments are read.
      windows: number of that record's windows that are done.
    """

    examples: int = 0
    record: int = 0
    windows: int = 0

    def after(self, batch: Mapping[str, Any]) -> Done:
        """Return how much is done after one more batch."""
        examples = self.examples + len(batch["id"])
        if "record" not in batch or not len(batch["record"]):
            return self._replace(examples=examples)
        records = np.asarray(batch["record"])
        record, windows = int(records[-1]), int(np.count_nonzero(records == records[-1]))
        return Done(examples, record, windows + (self.windows if record == self.record else 0))


def read_batches(
    files: list[str],
    schema: RecordSchema,
    bad_records: BadRecords,
    with_labels: bool = True,
    done: Done | None = None,
    **settings: Any,
) -> Iterator[dict[str, tf.Tensor]]:
    """Yield the batches of one pass in a fixed order, without the records that cannot be parsed.

    Args:
      files: shards.
      schema: schema of their records.
      bad_records: counts the records that are left out.
      with_labels: see `build_dataset`.
      done: what a pass before has done, which ended after a whole batch; of `bad_records`, it had
        the state at that time.
      **settings: other arguments of `build_dataset`; not those for training.

    Raises:
      UserError: more records than allowed cannot be parsed; one of them is named by file and byte.
    """
    done = done or Done()

    def batches(**where: Any) -> tf.data.Dataset:
        return build_dataset(
            files,
            schema,
            bad_records=bad_records,
            with_labels=with_labels,
            **{**settings, **where},
        )

    if bad_records.left_out:
        # Each record up to there was an example. Later ones were not, so the batches that are done
        # are read again.
        count = min(done.examples, bad_records.left_out_from)
        for batch in batches(skip_examples=count, counts=None):
            if count >= done.examples:
                yield batch
            count += len(batch["id"])
        return
    count = done.examples
    try:
        if schema.segment_labels:
            where = {"skip_records": done.record, "skip_examples": done.windows}
        else:
            where = {"skip_examples": count}
        for batch in batches(**where):
            yield batch
            count += len(batch["id"])
        return
    except PARSE_ERRORS as error:
        if not leave_out_unparsable(error, files, schema, bad_records, with_labels):
            raise
    bad_records.left_out_from = count
    yield from batches(skip_examples=count, counts=None)
