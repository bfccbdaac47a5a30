"""Five-second segments (2019 release): the rated ones of a video, or all consecutive windows."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.data.records.frame import decoded, of_the_video, parse_sequence
from yt8m.data.records.labels import Beyond, only_inside
from yt8m.data.records.video import first_id, id_features
from yt8m.data.schema import SEGMENT_FRAMES, RecordSchema


def parse_segments(
    serialized: tf.Tensor, schema: RecordSchema, beyond: Beyond = "raise"
) -> dict[str, tf.Tensor]:
    """Return the S rated segments of one record.

    Source: docs/sources.md#rated-segments.

    Args:
      serialized: a `tf.train.SequenceExample`.
      schema: schema of the record.
      beyond: "raise" or "drop" a rated class beyond the K.

    Returns:
      `id` [S] as `<video>:<start>`, `frames` [S, 5, D] of `frame_type`, `num_frames` [S]
      (frames of the segment that the video has), `labels` uint8 [S, K], `weights` float32 [S, K]: 1
      where rated; `video` [S, E] where the schema names features of whole videos.
    """
    lists = {
        "segment_start_times": tf.io.VarLenFeature(tf.int64),
        "segment_labels": tf.io.VarLenFeature(tf.int64),
        "segment_scores": tf.io.VarLenFeature(tf.float32),
    }
    parsed, steps, available = parse_sequence(serialized, schema, {**id_features(), **lists})
    times = parsed["segment_start_times"].values
    starts, segment_of = tf.unique(times, out_idx=tf.int64)  # [S], [ratings]
    found = _segments(parsed, steps, starts, available, schema)
    classes, scores = parsed["segment_labels"].values, parsed["segment_scores"].values
    with tf.control_dependencies([_equally_many(segment_of, classes, scores)]):
        classes = tf.identity(classes)
    classes, scores, segment_of = only_inside(
        classes, schema.num_classes, beyond, scores, segment_of
    )
    where = tf.stack([segment_of, classes], 1)  # [ratings, 2]
    shape = tf.stack([tf.size(starts, tf.int64), tf.constant(schema.num_classes, tf.int64)])
    positive = tf.cast(scores > 0.5, tf.uint8)
    labels = tf.tensor_scatter_nd_max(tf.zeros(shape, tf.uint8), where, positive)
    weights = tf.tensor_scatter_nd_max(tf.zeros(shape), where, tf.ones_like(scores))
    found["labels"] = tf.ensure_shape(labels, [None, schema.num_classes])
    found["weights"] = tf.ensure_shape(weights, [None, schema.num_classes])
    return found


def parse_windows(serialized: tf.Tensor, schema: RecordSchema) -> dict[str, tf.Tensor]:
    """Return the consecutive windows of one record, for a segment submission.

    Source: docs/sources.md#segment-windows.

    Args:
      serialized: a `tf.train.SequenceExample`, rated or not.
      schema: schema of the record.

    Returns:
      The windows with starts 0, 5, 10, ... below the number of frames, as `parse_segments` returns
      them, without `labels` and `weights`. The last window's `num_frames` may be less than 5.
    """
    parsed, steps, available = parse_sequence(serialized, schema, id_features())
    starts = tf.range(0, tf.cast(available, tf.int64), SEGMENT_FRAMES)  # [S]
    return _segments(parsed, steps, starts, available, schema)


def _equally_many(starts: tf.Tensor, classes: tf.Tensor, scores: tf.Tensor) -> tf.Operation:
    sizes = tf.stack([tf.size(starts), tf.size(classes), tf.size(scores)])
    lists = "segment_start_times, segment_labels and segment_scores"
    message = f"cannot parse: {lists} differ in number"
    return tf.debugging.Assert(tf.reduce_all(sizes == sizes[0]), [message, sizes])


def _segments(
    parsed: dict[str, Any],
    steps: list[tf.Tensor],
    starts: tf.Tensor,
    available: tf.Tensor,
    schema: RecordSchema,
) -> dict[str, tf.Tensor]:
    """Return the segments that begin at `starts` [S], without labels."""
    wanted = tf.cast(starts, tf.int32)[:, None] + tf.range(SEGMENT_FRAMES)  # [S, 5]
    there = (wanted >= 0) & (wanted < available)
    frames = decoded(steps, schema, available)
    frames = tf.pad(frames, [[0, 1], [0, 0]])  # row `available` stands for missing frames
    frames = tf.gather(frames, tf.where(there, wanted, available))  # [S, 5, D]
    count = tf.size(starts)
    names = [tf.repeat(first_id(parsed), count), tf.strings.as_string(starts)]
    of_videos = of_the_video(parsed, schema)
    return {
        "id": tf.strings.join(names, ":"),
        "frames": tf.ensure_shape(frames, [None, SEGMENT_FRAMES, schema.feature_size]),
        "num_frames": tf.reduce_sum(tf.cast(there, tf.int32), axis=1),
        **{key: tf.repeat(value[None], count, axis=0) for key, value in of_videos.items()},
    }
