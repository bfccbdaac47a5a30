"""The data of a task: batches of arrays from shards of records, parsed in the task's process.

A `tf.data` pipeline takes a fifth of a second to build and start, as long as a small task's
computation. Scanning the file and parsing some hundred records at once takes a tenth of that.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Callable, NamedTuple

import numpy as np
import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.scan import Scanned, scan
from yt8m.data.records.check import RecordCheck
from yt8m.data.records.frame import parse_frame_record
from yt8m.data.records.isolate import parse_or_isolate
from yt8m.data.records.sampling import ALL_FRAMES, FrameSampling
from yt8m.data.records.segments import parse_segments
from yt8m.data.records.video import parse_video_batch
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.largescale.tasks.shard_parts import Rows
from yt8m.largescale.tasks.shared_folder import not_shared

Batch = dict[str, Any]


class _Record(NamedTuple):
    path: str
    offset: int
    payload: bytes


@dataclasses.dataclass(frozen=True)
class RecordSource:
    """TFRecord shards of either level.

    It is sent to the workers, so it contains settings and no open files.

    Attributes:
      schema: schema of the records.
      batch_size: examples in a batch. Batches run across the shards of a task, and only the last
        one is smaller.
      max_bad_records: how many broken records may be skipped in total.
      sampling: which frames of a video are read: all of them, or "even" ones. Nothing is drawn,
        since the places of records in the whole data are not known here.
    """

    schema: RecordSchema
    batch_size: int = 512
    max_bad_records: int = 0
    sampling: FrameSampling = ALL_FRAMES

    def batches(
        self, shards: Sequence[str], rows: Rows | None, broken: list[str]
    ) -> Iterator[Batch]:
        """Yield batches as `yt8m.data.pipeline.build_dataset` makes them, without shuffling.

        Args:
          shards: paths, read in order.
          rows: which of their records are kept; None keeps all.
          broken: receives a line for each broken record.

        Raises:
          UserError: more records are broken than allowed, or the records do not match the schema.
        """
        records = self._records(shards, rows, broken)
        with BadRecords().explained(self.schema.num_classes):
            if self.schema.level == "video":
                parse = _video_parser(self.schema)
                while together := list(itertools.islice(records, self.batch_size)):
                    yield from self._parsed(
                        lambda payloads: parse(tf.constant(payloads)), together, broken
                    )
            else:
                parse_one = _frame_parser(self.schema, self.sampling)
                parsed = (
                    self._parsed(lambda payloads: parse_one(payloads[0]), [record], broken)
                    for record in records
                )
                yield from _stacked(itertools.chain.from_iterable(parsed), self.batch_size)

    def _records(
        self, shards: Sequence[str], rows: Rows | None, broken: list[str]
    ) -> Iterator[_Record]:
        """Yield the chosen records that can be read."""
        keeps = rows.keeps() if rows else itertools.repeat(True)
        for path in shards:
            for record in _scanned(path):
                keep = next(keeps)
                if record.payload is None:
                    self._count(path, record.offset, str(record.problem), broken)
                elif keep:
                    yield _Record(path, record.offset, record.payload)

    def _parsed(
        self,
        parse: Callable[[list[bytes]], Batch],
        records: list[_Record],
        broken: list[str],
    ) -> Iterator[Batch]:
        """Yield the records parsed as one batch, without those that cannot be parsed.

        Nothing is yielded if none is left.
        """
        payloads = [record.payload for record in records]
        batch, problems = parse_or_isolate(parse, payloads, RecordCheck(self.schema).problems)
        for record, problem in zip(records, problems):
            if problem:
                self._count(record.path, record.offset, problem, broken)
        if batch is not None:
            yield batch

    def _count(self, path: str, offset: int, problem: str, broken: list[str]) -> None:
        broken.append(f"{path} at byte {offset}: {problem}")
        if len(broken) > self.max_bad_records:
            raise UserError(
                f"{broken[-1]}. {len(broken)} records are broken so far, but"
                f" --max_bad_records={self.max_bad_records} allows no more. `python -m"
                f" yt8m.data.inspect --full {path}` lists them; raise --max_bad_records to skip"
                " them."
            )


def _scanned(path: str) -> Iterator[Scanned]:
    try:
        yield from scan(path)
    except tf.errors.NotFoundError:
        raise not_shared(f"The records {path} are not there") from None


def _stacked(examples: Iterable[Batch], batch_size: int) -> Iterator[Batch]:
    """Yield batches [B, ...] made of parts [n, ...] of any size."""
    held: list[Batch] = []
    count = 0
    for tensors in examples:
        part = {k: np.asarray(v) for k, v in tensors.items()}
        held.append(part)
        count += len(part["labels"])
        while count >= batch_size:
            whole = {k: np.concatenate([p[k] for p in held]) for k in part}
            yield {k: v[:batch_size] for k, v in whole.items()}
            held, count = [{k: v[batch_size:] for k, v in whole.items()}], count - batch_size
    if count:
        yield {k: np.concatenate([p[k] for p in held]) for k in held[0]}


@functools.lru_cache(maxsize=4)
def _video_parser(schema: RecordSchema) -> Callable[[tf.Tensor], Batch]:
    parse = functools.partial(parse_video_batch, schema=schema)
    return tf.function(parse, input_signature=[tf.TensorSpec([None], tf.string)])


@functools.lru_cache(maxsize=4)
def _frame_parser(schema: RecordSchema, sampling: FrameSampling) -> Callable[[bytes], Batch]:
    """Return a function from one record to its video [1, ...] or its rated segments [S, ...]."""

    def parse_video(serialized: tf.Tensor) -> Batch:
        position = tf.zeros([], tf.int64)  # only the draw of frames uses it, and none are drawn
        record = parse_frame_record(position, serialized, schema, sampling, seed=0)
        return {k: v[None] for k, v in record.items()}

    segments = functools.partial(parse_segments, schema=schema)
    parse = segments if schema.segment_labels else parse_video
    return tf.function(parse, input_signature=[tf.TensorSpec([], tf.string)])
