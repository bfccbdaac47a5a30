"""Frame-level records (`tf.train.SequenceExample`), parsed one at a time.

Frames remain bytes, or floats of the type that the schema names, until they reach the device.
Features of the whole video, such as an embedding, are floats in the record's context; those that
the schema names are returned as `video`.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.data.records.labels import Beyond, multi_hot
from yt8m.data.records.quantization import OFFSET, SCALE
from yt8m.data.records.sampling import FrameSampling
from yt8m.data.records.video import first_id, id_features
from yt8m.data.schema import RecordSchema

_NOT_FINITE = "the record cannot be parsed: it has values that are NaN or infinite"


def parse_sequence(
    serialized: tf.Tensor, schema: RecordSchema, context: dict[str, Any]
) -> tuple[dict[str, Any], list[tf.Tensor], tf.Tensor]:
    """Parse one record without decoding its frames.

    Args:
      serialized: a `tf.train.SequenceExample`.
      schema: schema of the record.
      context: features of the context to parse, besides those of whole videos that the schema
        names, which `of_the_video` concatenates.

    Returns:
      The parsed context, the steps of each feature, and the number of frames that all features
      have, at most T.
    """
    of_videos = {
        name: tf.io.FixedLenFeature([size], tf.float32)
        for name, size in zip(schema.video_names, schema.video_sizes)
    }
    lists = {}
    for key, size in zip(schema.keys, schema.feature_sizes):
        shape, kind = ([size], tf.float32) if schema.float_frames else ([], tf.string)
        # An empty list is a video of length 0. A record without the list is broken, as one without
        # a mean is at video level: the frames of its other features would be thrown away.
        lists[key] = tf.io.FixedLenSequenceFeature(shape, kind)
    parsed, sequences = tf.io.parse_single_sequence_example(
        serialized, {**context, **of_videos}, lists
    )
    steps = [sequences[key] for key in schema.keys]
    common = tf.shape(steps[0])[0]
    for other in steps[1:]:
        common = tf.minimum(common, tf.shape(other)[0])
    return parsed, steps, tf.minimum(common, schema.max_frames)


def of_the_video(parsed: dict[str, Any], schema: RecordSchema) -> dict[str, tf.Tensor]:
    """Return `video` float32 [E], the schema's E whole-video features, if it names any."""
    if not schema.video_names:
        return {}
    return {"video": tf.concat([parsed[name] for name in schema.video_names], axis=-1)}


def frame_type(schema: RecordSchema) -> tf.DType:
    """Return the type in which a model gets frames of a schema: uint8, or a type of floats."""
    as_bytes = not schema.float_frames or schema.frames_as == "bytes"
    return tf.uint8 if as_bytes else tf.as_dtype(schema.frames_as)


def as_type(values: tf.Tensor, kind: tf.DType) -> tf.Tensor:
    """Return float frames in the type that `frame_type` names; uint8 quantises and clips them."""
    if kind == tf.uint8:
        q = tf.clip_by_value(tf.round((values - OFFSET) / SCALE), 0.0, 255.0)
        return tf.cast(q, tf.uint8)
    if kind == tf.float16:  # A value beyond its range would become infinite.
        values = tf.clip_by_value(values, tf.float16.min, tf.float16.max)
    return tf.cast(values, kind)


def _checked(values: tf.Tensor) -> tf.Tensor:
    """Return float frames that become bytes.

    What is no number would become a byte like any other, and nothing later could tell. As floats,
    such values reach the loss and the scores, which are checked.
    """
    finite = tf.reduce_all(tf.math.is_finite(values))
    with tf.control_dependencies([tf.debugging.Assert(finite, [_NOT_FINITE])]):
        return tf.identity(values)


def decoded(steps: list[tf.Tensor], schema: RecordSchema, num_frames: tf.Tensor) -> tf.Tensor:
    """Return the first `num_frames` frames of all features, [num_frames, D] of `frame_type`."""
    columns = []
    for values, size in zip(steps, schema.feature_sizes):
        if schema.float_frames:
            kind = frame_type(schema)
            frames = as_type(_checked(values) if kind == tf.uint8 else values, kind)
        else:
            decoded = tf.io.decode_raw(values, tf.uint8)  # [0, 0] if there are no frames
            shape = [tf.shape(values)[0], size]
            # `BadRecords.explained` recognises steps of another width by this name.
            frames = tf.reshape(decoded, shape, name="decode_raw_width")
        columns.append(frames[:num_frames])
    return tf.concat(columns, axis=-1)


def parse_frame_record(
    position: tf.Tensor,
    serialized: tf.Tensor,
    schema: RecordSchema,
    sampling: FrameSampling,
    seed: int,
    with_labels: bool = True,
    beyond: Beyond = "raise",
) -> dict[str, tf.Tensor]:
    """Return one video; only the chosen frames are decoded.

    Args:
      position: place of the record in the epoch, int64 scalar. The choice of frames depends on it
        and on `seed` alone.
      serialized: a `tf.train.SequenceExample`.
      schema: schema of the record.
      sampling: which frames are read.
      seed: seed of the epoch.
      with_labels: whether labels are read.
      beyond: "raise" or "drop" a label index beyond the classes.

    Returns:
      `id`, `frames` [T, D] of `frame_type`, zero-padded, `num_frames`, `labels` uint8 [K], and
      `video` [E] where the schema names features of whole videos.
    """
    context = id_features()
    if with_labels:
        context["labels"] = tf.io.VarLenFeature(tf.int64)
    parsed, steps, available = parse_sequence(serialized, schema, context)
    if sampling.kind == "all":
        length = schema.max_frames
        num_frames = available
    else:
        length = sampling.length(schema.max_frames)
        key = tf.stack([tf.constant(seed, tf.int64), position])
        kept = tf.where(available > 0, length, 0)  # an empty video has no frame to draw
        picked = sampling.indices(available, key)[:kept]
        steps = [tf.gather(s, picked) for s in steps]
        num_frames = tf.shape(picked)[0]
    frames = decoded(steps, schema, num_frames)
    frames = tf.pad(frames, [[0, length - num_frames], [0, 0]])
    frames.set_shape([length, schema.feature_size])
    record = {"id": first_id(parsed), "frames": frames, "num_frames": num_frames}
    record.update(of_the_video(parsed, schema))
    if with_labels:
        values = parsed["labels"].values
        rows = multi_hot(tf.zeros_like(values), values, 1, schema.num_classes, beyond)
        record["labels"] = rows[0]
        record["labels"].set_shape([schema.num_classes])
    return record
