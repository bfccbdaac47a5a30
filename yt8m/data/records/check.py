"""Whole records that are of no use: no example, a feature that is missing or of another width, values that are not finite.

A batch is parsed in one go and its error does not say where the guilty record lies. So the records are looked
for when a batch has failed, and not before: reading costs nothing more where all is well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from yt8m.data.files.bad_records import (
    PARSE_ERRORS,
    BadRecord,
    BadRecords,
    content_hash,
    is_parse_error,
    message_of,
    parse_error,
)
from yt8m.data.files.scan import Scanned, scan
from yt8m.data.records.frame import parse_frame_record, parse_sequence
from yt8m.data.records.sampling import FrameSampling
from yt8m.data.records.segments import parse_segments, parse_windows
from yt8m.data.records.video import id_features, parse_video_batch
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError

_TOGETHER = {"video": 256, "frame": 16}  # records looked at in one go


class RecordCheck:
    """Tells what keeps the readers of training from using a record.

    Args:
      schema: what the records should hold.
      with_labels: False where the labels are not read.
    """

    def __init__(self, schema: RecordSchema, with_labels: bool = True):
        self.schema, self._with_labels = schema, with_labels
        shape = [None] if schema.level == "video" else []
        self._values = tf.function(self._parse, input_signature=[tf.TensorSpec(shape, tf.string)])

    def _parse(self, serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the float features of a batch [B, D] or of one record's frames [n, D], and what training parses of them."""
        schema, rest = self.schema, {"with_labels": self._with_labels, "beyond": "drop"}
        if schema.level == "video":
            video = parse_video_batch(serialized, schema, **rest)["video"]
            return video, video
        if schema.segment_labels:
            parsed = (
                parse_segments(serialized, schema, "drop")
                if self._with_labels
                else parse_windows(serialized, schema)
            )
        else:
            parsed = parse_frame_record(
                tf.zeros([], tf.int64), serialized, schema, FrameSampling(), 0, **rest
            )
        if not schema.float_frames:
            return tf.zeros([0, 0]), parsed["frames"]  # bytes are finite
        _, steps, num_frames = parse_sequence(serialized, schema, id_features())
        return tf.concat([s[:num_frames] for s in steps], -1), parsed["frames"]

    def problems(self, payloads: Sequence[bytes], finite: bool = False) -> list[str | None]:
        """Return for each record None, or what is wrong with it; values that are not finite count if `finite`."""
        if self.schema.level != "video":
            return [self._problem(p, finite) for p in payloads]
        try:
            values = self._values(tf.constant(list(payloads), tf.string))[0].numpy()
        except PARSE_ERRORS:
            return [self._problem(p, finite) for p in payloads]
        if not finite or np.isfinite(values).all():
            return [None] * len(payloads)
        return [_not_finite(row) for row in values]

    def _problem(self, payload: bytes, finite: bool) -> str | None:
        try:
            values = self._values(
                tf.constant([payload] if self.schema.level == "video" else payload)
            )[0].numpy()
        except PARSE_ERRORS as error:
            return self._reason(payload) or f"cannot be parsed ({parse_error(message_of(error))})"
        return _not_finite(values) if finite else None

    def _reason(self, payload: bytes) -> str | None:
        """Say in a user's words why a record does not parse, as far as its features tell."""
        try:
            record = tf.train.SequenceExample.FromString(payload)
        except Exception:  # protobuf's DecodeError lies elsewhere in each of its versions
            return "neither a tf.train.Example nor a SequenceExample"
        for key, size in zip(self.schema.keys, self.schema.feature_sizes):
            if self.schema.level == "video":
                width = (
                    len(record.context.feature[key].float_list.value)
                    if key in record.context.feature
                    else 0
                )
                if width != size:
                    return (
                        f"{key} has {width} values, not {size}" if width else f"no values of {key}"
                    )
                continue
            for number, step in enumerate(record.feature_lists.feature_list[key].feature):
                if self.schema.float_frames:
                    width = len(step.float_list.value)
                else:
                    width = len(step.bytes_list.value[0]) if step.bytes_list.value else 0
                if width != size:
                    return f"{key} has {width} values in frame {number}, not {size}"
        return None


def _not_finite(values: np.ndarray) -> str | None:
    wrong = int(np.count_nonzero(~np.isfinite(values)))
    return f"{wrong} of {values.size} values are NaN or infinite" if wrong else None


def checked_scan(path: str, check: RecordCheck, finite: bool = False) -> Iterator[Scanned]:
    """Yield every record of a shard as `scan` does, those that do not parse with their problem too."""
    held: list[Scanned] = []

    def checked() -> Iterator[Scanned]:
        whole = [r.payload for r in held if r.problem is None]
        problems = iter(check.problems(whole, finite) if whole else [])
        for record in held:
            yield record if record.problem is not None else record._replace(problem=next(problems))

    for record in scan(path):
        held.append(record)
        if len(held) == _TOGETHER[check.schema.level]:
            yield from checked()
            held = []
    yield from checked()


def leave_out_unparsable(
    error: tf.errors.OpError | UnicodeDecodeError,
    files: Sequence[str],
    schema: RecordSchema,
    bad: BadRecords,
    with_labels: bool = True,
) -> bool:
    """Look for the records that made a pipeline fail, and have `bad` count them and the next pipeline leave them out.

    Args:
      error: that came out of the pipeline.
      files: its shards, all of which are read, so that the next one does not fail again.
      schema, with_labels: as the pipeline parses.
      bad: of the pipeline.

    Returns:
      Whether there are any, so that a new pipeline gets further than this one.

    Raises:
      UserError: they are more than `bad` allows; it names one by file and byte.
    """
    if not is_parse_error(message_of(error)) or bad.has_stopped:
        return False
    logging.warning(
        "a record cannot be parsed; looking through %d files for such records", len(files)
    )
    check, known = RecordCheck(schema, with_labels), len(bad.left_out)
    for path in files:
        for record in checked_scan(path, check):
            if (
                record.problem is None or record.payload is None
            ):  # the broken are counted as they are met
                continue
            bad.left_out.add(content_hash(record.payload))
            try:
                bad.add(BadRecord(path, record.offset, record.problem))
            except ValueError as too_many:
                raise UserError(str(too_many)) from None
    return len(bad.left_out) > known
