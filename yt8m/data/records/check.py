"""Intact records that training cannot use.

Such a record is not an example, has no value for a feature or one of another width, or has values
that are not finite.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

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
)
from yt8m.data.files.scan import Scanned, scan
from yt8m.data.records.frame import parse_frame_record, parse_sequence
from yt8m.data.records.isolate import Problems, cannot_be_parsed, parse_or_isolate
from yt8m.data.records.protos import sequence_example
from yt8m.data.records.sampling import ALL_FRAMES
from yt8m.data.records.segments import parse_segments, parse_windows
from yt8m.data.records.video import id_features, parse_video_batch
from yt8m.data.schema import ID_KEYS, RecordSchema
from yt8m.errors import UserError

_TOGETHER = {"video": 256, "frame": 16}  # records scanned before they are checked


class RecordCheck:
    """Finds what keeps the readers of training from using a record.

    Args:
      schema: what the records should contain.
      with_labels: whether the labels are read.
    """

    def __init__(self, schema: RecordSchema, with_labels: bool = True):
        self.schema, self._with_labels = schema, with_labels

    @functools.cached_property
    def _values(self) -> Any:
        """A compiled `_parse`, made on first use, so that an unused check is cheap."""
        shape = [None] if self.schema.level == "video" else []
        return tf.function(self._parse, input_signature=[tf.TensorSpec(shape, tf.string)])

    def _parse(self, serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the float features and what training parses, so that the graph keeps its checks.

        The float features are those of a batch [B, D], or of the frames of one record [n, D].
        """
        schema = self.schema
        if schema.level == "video":
            video = parse_video_batch(serialized, schema, self._with_labels, "drop")["video"]
            return video, video
        frames = self._frames(serialized)
        if not schema.float_frames:
            return tf.zeros([0, 0]), frames  # bytes are finite
        _, steps, num_frames = parse_sequence(serialized, schema, id_features())
        return tf.concat([s[:num_frames] for s in steps], -1), frames

    def _frames(self, serialized: tf.Tensor) -> tf.Tensor:
        schema = self.schema
        if not schema.segment_labels:
            first = tf.zeros([], tf.int64)
            return parse_frame_record(
                first, serialized, schema, ALL_FRAMES, 0, self._with_labels, "drop"
            )["frames"]
        if self._with_labels:
            return parse_segments(serialized, schema, "drop")["frames"]
        return parse_windows(serialized, schema)["frames"]

    def problems(self, payloads: Sequence[bytes], finite: bool = False) -> Problems:
        """Return the problem of each record, or None.

        Args:
          payloads: serialised records.
          finite: whether values that are not finite are a problem.
        """
        if self.schema.level == "frame" and len(payloads) > 1:
            return [self.problems([p], finite)[0] for p in payloads]
        values, problems = parse_or_isolate(self._float_values, payloads, self._reasons)
        if not finite or values is None or np.isfinite(values).all():
            return problems
        rows = iter(values if self.schema.level == "video" else [values])
        return [problem or _not_finite(next(rows)) for problem in problems]

    def _float_values(self, payloads: Sequence[bytes]) -> np.ndarray:
        if self.schema.level == "video":
            return self._values(tf.constant(list(payloads), tf.string))[0].numpy()
        (payload,) = payloads
        return self._values(tf.constant(payload))[0].numpy()

    def _reasons(self, payloads: Sequence[bytes]) -> Problems:
        reasons: Problems = []
        for payload in payloads:
            try:
                self._float_values([payload])
                reasons.append(None)
            except PARSE_ERRORS as error:
                reasons.append(self._reason(payload) or cannot_be_parsed(error))
        return reasons

    def _reason(self, payload: bytes) -> str | None:
        """Return why a record does not parse, if its features show it."""
        if not payload:
            return "it is empty (0 bytes)"
        record = sequence_example(payload)
        if record is None:
            return "neither a tf.train.Example nor a SequenceExample"
        context = record.context.feature
        if self._with_labels and context["labels"].WhichOneof("kind") not in (None, "int64_list"):
            return "its labels are not whole numbers"
        if any(_is_no_text(context[key]) for key in ID_KEYS if key in context):
            return "its id is not one string of bytes"
        for key, size in zip(self.schema.keys, self.schema.feature_sizes):
            if self.schema.level == "video":
                reason = _wrong_width(record.context.feature, key, size)
            elif key not in record.feature_lists.feature_list:
                reason = f"no list of the frames of {key}"
            else:
                steps = record.feature_lists.feature_list[key].feature
                reason = self._wrong_step(steps, key, size)
            if reason:
                return reason
        return None

    def _wrong_step(self, steps: Sequence[Any], key: str, size: int) -> str | None:
        for number, step in enumerate(steps):
            if self.schema.float_frames:
                width = len(step.float_list.value)
                if not np.isfinite(step.float_list.value).all():
                    return f"{key} has values in frame {number} that are NaN or infinite"
            else:
                width = len(step.bytes_list.value[0]) if step.bytes_list.value else 0
            if width != size:
                return f"{key} has {width} values in frame {number}, not {size}"
        return None


def _is_no_text(feature: Any) -> bool:
    return feature.WhichOneof("kind") is not None and len(feature.bytes_list.value) != 1


def _wrong_width(features: Any, key: str, size: int) -> str | None:
    width = len(features[key].float_list.value) if key in features else 0
    if width == size:
        return None
    return f"{key} has {width} values, not {size}" if width else f"no values of {key}"


def _not_finite(values: np.ndarray) -> str | None:
    wrong = int(np.count_nonzero(~np.isfinite(values)))
    return f"{wrong} of {values.size} values are NaN or infinite" if wrong else None


def checked_scan(path: str, check: RecordCheck, finite: bool = False) -> Iterator[Scanned]:
    """Yield every record of a shard as `scan` does; those that do not parse have a problem."""
    scanned = scan(path)
    while held := list(itertools.islice(scanned, _TOGETHER[check.schema.level])):
        whole = [r.payload for r in held if r.payload is not None]
        problems = iter(check.problems(whole, finite) if whole else [])
        for record in held:
            yield record if record.payload is None else record._replace(problem=next(problems))


def leave_out_unparsable(
    error: BaseException,
    files: Sequence[str],
    schema: RecordSchema,
    bad: BadRecords,
    with_labels: bool = True,
) -> bool:
    """Find the records that made a pipeline fail; `bad` counts them and will leave them out.

    Args:
      error: error that the pipeline raised.
      files: shards of the pipeline, all of which are read, so that the next pipeline does not fail.
      schema: what the pipeline parses.
      bad: counter of the pipeline.
      with_labels: whether the pipeline parses labels.

    Returns:
      Whether there are any, so that a new pipeline can get further than this one.

    Raises:
      UserError: there are more than `bad` allows; one of them is named by file and byte.
    """
    if not is_parse_error(message_of(error)) or bad.has_stopped:
        return False
    logging.warning("a record cannot be parsed; searching %d files for such records", len(files))
    check, known = RecordCheck(schema, with_labels), len(bad.left_out)
    for path in files:
        for record in checked_scan(path, check):
            # Readers count records with broken bytes themselves when they meet them.
            if record.problem is None or record.payload is None:
                continue
            bad.left_out.add(content_hash(record.payload))
            try:
                bad.add(BadRecord(path, record.offset, record.problem))
            except ValueError as too_many:
                raise UserError(str(too_many)) from None
    return len(bad.left_out) > known
