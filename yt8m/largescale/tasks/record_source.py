"""What a task reads: shards of records to batches of arrays, in the task's own process, without a pipeline to set up.

A `tf.data` pipeline takes a fifth of a second to build and start, as long as a small task computes; walking the
file and parsing some hundred records at once takes a tenth of that.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import (
    Any,
    Callable,
    Protocol,
)

import numpy as np
import tensorflow as tf

from yt8m.data.files.bad_records import PARSE_ERRORS, BadRecords, is_parse_error, message_of
from yt8m.data.files.scan import Scanned, scan
from yt8m.data.records.check import RecordCheck
from yt8m.data.records.frame import parse_frame_record
from yt8m.data.records.sampling import FrameSampling
from yt8m.data.records.segments import parse_segments
from yt8m.data.records.video import parse_video_batch
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.largescale.tasks.shard_parts import Rows
from yt8m.largescale.tasks.shared_folder import not_shared

Batch = dict[str, Any]


class Source(Protocol):
    """Where tasks read their examples; it travels to the workers, so it holds settings and no open files."""

    max_bad_records: int  # that the whole of the data may have

    def batches(
        self, shards: Sequence[str], rows: Rows | None, broken: list[str]
    ) -> Iterator[Batch]:
        """Yield batches of the shards' chosen examples in order, with `labels`; a line for each broken record."""


@dataclasses.dataclass(frozen=True)
class RecordSource:
    """TFRecord shards of either level, all frames of every video.

    Args:
      schema: what the records hold.
      batch_size: examples a batch; batches run across the shards of a task, and only its last is smaller.
      max_bad_records: broken records that may be skipped in all.
      beyond: "raise" or "drop" a label index beyond the classes.
    """

    schema: RecordSchema
    batch_size: int = 512
    max_bad_records: int = 0
    beyond: str = "raise"

    def batches(
        self, shards: Sequence[str], rows: Rows | None, broken: list[str]
    ) -> Iterator[Batch]:
        """Yield batches as `yt8m.data.pipeline.build_dataset` makes them, without shuffling.

        Raises:
          UserError: more records are broken than allowed, or do not fit the schema.
        """
        records = self._records(shards, rows, broken)
        with BadRecords().explained(self.schema.num_classes):
            if self.schema.level == "video":
                parse = _video_parser(self.schema, self.beyond)
                while together := list(itertools.islice(records, self.batch_size)):
                    yield from self._parsed(
                        lambda payloads: parse(tf.constant(payloads)), together, broken
                    )
            else:
                parse_one = _frame_parser(self.schema, self.beyond)
                parsed = (
                    self._parsed(lambda payloads: parse_one(payloads[0]), [record], broken)
                    for record in records
                )
                yield from _stacked(itertools.chain.from_iterable(parsed), self.batch_size)

    def _records(
        self, shards: Sequence[str], rows: Rows | None, broken: list[str]
    ) -> Iterator[tuple[str, Scanned]]:
        keeps = rows.keeps() if rows else itertools.repeat(True)
        for path in shards:
            if not tf.io.gfile.exists(path):
                raise not_shared(f"The records {path} are not there")
            for record in scan(path):
                keep = next(keeps)
                if record.problem is not None:
                    self._count(path, record, broken)
                elif keep:
                    yield path, record

    def _parsed(
        self,
        parse: Callable[[list[bytes]], Batch],
        records: list[tuple[str, Scanned]],
        broken: list[str],
    ) -> Iterator[Batch]:
        """Yield records parsed together; where that fails, without those of them that do not parse; nothing if none does."""
        try:
            yield parse([record.payload for _, record in records])
            return
        except PARSE_ERRORS as error:
            if not is_parse_error(message_of(error)):
                raise
            problems = RecordCheck(self.schema).problems([record.payload for _, record in records])
            if not any(problems):
                raise
        for (path, record), problem in zip(records, problems):
            if problem:
                self._count(path, record._replace(problem=problem), broken)
        kept = [record.payload for (_, record), problem in zip(records, problems) if not problem]
        if kept:
            yield parse(kept)

    def _count(self, path: str, record: Scanned, broken: list[str]) -> None:
        broken.append(f"{path} at byte {record.offset}: {record.problem}")
        if len(broken) > self.max_bad_records:
            raise UserError(
                f"{broken[-1]}. {len(broken)} broken records so far, and --max_bad_records={self.max_bad_records}"
                f" allows no more. `python -m yt8m.data.inspect --full {path}` lists them; raise the flag to skip them."
            )


def _stacked(examples: Iterable[Batch], batch_size: int) -> Iterator[Batch]:
    """Yield batches [B, ...] out of parts [n, ...] of any size."""
    held: list[Batch] = []
    count = 0
    for part in examples:
        part = {k: np.asarray(v) for k, v in part.items()}
        held.append(part)
        count += len(part["labels"])
        while count >= batch_size:
            whole = {k: np.concatenate([p[k] for p in held]) for k in part}
            yield {k: v[:batch_size] for k, v in whole.items()}
            held, count = [{k: v[batch_size:] for k, v in whole.items()}], count - batch_size
    if count:
        yield {k: np.concatenate([p[k] for p in held]) for k in held[0]}


@functools.lru_cache(maxsize=4)
def _video_parser(schema: RecordSchema, beyond: str) -> Callable[[tf.Tensor], Batch]:
    parse = functools.partial(parse_video_batch, schema=schema, beyond=beyond)
    return tf.function(parse, input_signature=[tf.TensorSpec([None], tf.string)])


@functools.lru_cache(maxsize=4)
def _frame_parser(schema: RecordSchema, beyond: str) -> Callable[[bytes], Batch]:
    """Return a function of one record that gives its examples: the video [1, ...], or its rated segments [S, ...]."""
    if schema.segment_labels:
        parse = functools.partial(parse_segments, schema=schema, beyond=beyond)
    else:

        def parse(serialized: tf.Tensor) -> Batch:
            position = tf.zeros([], tf.int64)  # no frame is drawn, so nothing hangs on it
            record = parse_frame_record(
                position, serialized, schema, FrameSampling(), seed=0, beyond=beyond
            )
            return {k: v[None] for k, v in record.items()}

    return tf.function(parse, input_signature=[tf.TensorSpec([], tf.string)])


class ReadAhead:
    """Iterates over `items` from a thread of its own that stays up to `depth` of them ahead; begins at once."""

    def __init__(self, items: Iterable[Any], depth: int = 2):
        self._queue: queue.Queue[Any] = queue.Queue(depth)
        self._stop = threading.Event()
        threading.Thread(
            target=self._read, args=(items,), name="yt8m-read-ahead", daemon=True
        ).start()

    def _read(self, items: Iterable[Any]) -> None:
        try:
            for item in items:
                if not self._put((item, None)):
                    return
            self._put((None, StopIteration()))
        except BaseException as error:  # the reader's errors belong to whoever iterates
            self._put((None, error))

    def _put(self, entry: Any) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(entry, timeout=0.5)
                return True
            except queue.Full:
                continue
        return False

    def close(self) -> None:
        """End the reading, of items that nobody will take."""
        self._stop.set()

    def __iter__(self) -> Iterator[Any]:
        try:
            while True:
                item, error = self._queue.get()
                if isinstance(error, StopIteration):
                    return
                if error is not None:
                    raise error
                yield item
        finally:
            self.close()
