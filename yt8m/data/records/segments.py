"""Five-second segments (2019 release): rated ones with a weight for each rated class, or all windows of a video."""

from __future__ import annotations

import tensorflow as tf

from yt8m.data.records.frame import of_the_video, parse_sequence, to_bytes
from yt8m.data.records.labels import only_inside
from yt8m.data.records.video import first_id, id_features
from yt8m.data.schema import SEGMENT_FRAMES, RecordSchema


def parse_segments(
    serialized: tf.Tensor, schema: RecordSchema, beyond: str = "raise"
) -> dict[str, tf.Tensor]:
    """Parse one record into its S rated segments (spec A.6).

    Args:
      serialized: a `tf.train.SequenceExample`.
      schema: what it holds.
      beyond: "raise" or "drop" a rated class beyond the K.

    Returns:
      `id` [S] as `<video>:<start>`, `frames` uint8 [S, 5, D], `num_frames` [S] (frames of the
      segment that the video has), `labels` uint8 [S, K], `weights` float32 [S, K]: 1 where rated;
      `video` [S, E] where the schema names features of whole videos.
    """
    lists = {
        "segment_start_times": tf.io.VarLenFeature(tf.int64),
        "segment_labels": tf.io.VarLenFeature(tf.int64),
        "segment_scores": tf.io.VarLenFeature(tf.float32),
    }
    parsed, steps, available = parse_sequence(serialized, schema, {**id_features(), **lists})
    starts, segment_of = tf.unique(
        parsed["segment_start_times"].values, out_idx=tf.int64
    )  # [S], [ratings]
    found = _segments(parsed, steps, starts, available, schema)
    classes, scores = parsed["segment_labels"].values, parsed["segment_scores"].values
    sizes = tf.stack([tf.size(segment_of), tf.size(classes), tf.size(scores)])
    message = (
        "cannot parse: segment_start_times, segment_labels and segment_scores differ in number"
    )
    with tf.control_dependencies(
        [tf.debugging.Assert(tf.reduce_all(sizes == sizes[0]), [message, sizes])]
    ):
        classes = tf.identity(classes)
    classes, scores, segment_of = only_inside(
        classes, schema.num_classes, beyond, scores, segment_of
    )
    where = tf.stack([segment_of, classes], 1)  # [ratings, 2]
    shape = tf.stack([tf.size(starts, tf.int64), tf.constant(schema.num_classes, tf.int64)])
    labels = tf.tensor_scatter_nd_max(
        tf.zeros(shape, tf.uint8), where, tf.cast(scores > 0.5, tf.uint8)
    )
    weights = tf.tensor_scatter_nd_max(tf.zeros(shape), where, tf.ones_like(scores))
    found["labels"] = tf.ensure_shape(labels, [None, schema.num_classes])
    found["weights"] = tf.ensure_shape(weights, [None, schema.num_classes])
    return found


def parse_windows(serialized: tf.Tensor, schema: RecordSchema) -> dict[str, tf.Tensor]:
    """Cut one record, rated or not, into the consecutive windows that a submission of segments predicts (spec A.9).

    Args:
      serialized: a `tf.train.SequenceExample`.
      schema: what it holds.

    Returns:
      As `parse_segments` without `labels` and `weights`, of the starts 0, 5, 10, ... below the number of frames. The last
      window's `num_frames` may be less than 5.
    """
    parsed, steps, available = parse_sequence(serialized, schema, id_features())
    starts = tf.range(0, tf.cast(available, tf.int64), SEGMENT_FRAMES)  # [S]
    return _segments(parsed, steps, starts, available, schema)


def _segments(
    parsed: dict, steps: list, starts: tf.Tensor, available: tf.Tensor, schema: RecordSchema
) -> dict[str, tf.Tensor]:
    """Return what segments that begin at `starts` [S] have, rated or not."""
    wanted = tf.cast(starts, tf.int32)[:, None] + tf.range(SEGMENT_FRAMES)  # [S, 5]
    there = (wanted >= 0) & (wanted < available)
    frames = tf.pad(
        to_bytes(steps, schema, available), [[0, 1], [0, 0]]
    )  # row `available` stands for what the video has not
    frames = tf.gather(frames, tf.where(there, wanted, available))  # [S, 5, D]
    count = tf.size(starts)
    return {
        "id": tf.strings.join(
            [tf.repeat(first_id(parsed), count), tf.strings.as_string(starts)], ":"
        ),
        "frames": tf.ensure_shape(frames, [None, SEGMENT_FRAMES, schema.feature_size]),
        "num_frames": tf.reduce_sum(tf.cast(there, tf.int32), axis=1),
        **{k: tf.repeat(v[None], count, axis=0) for k, v in of_the_video(parsed, schema).items()},
    }
