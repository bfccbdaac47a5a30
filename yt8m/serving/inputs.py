"""A model's inputs from records, arrays or MediaPipe's floats, in TensorFlow operations.

Records go through the parsers of evaluation and inference, so that an exported model sees what they
see.
"""

from __future__ import annotations

import functools

import tensorflow as tf

from yt8m.data.records.frame import as_type, frame_type, parse_frame_record
from yt8m.data.records.sampling import FrameSampling
from yt8m.data.records.segments import parse_windows
from yt8m.data.records.video import parse_video_batch
from yt8m.data.schema import SEGMENT_FRAMES, RecordSchema
from yt8m.models.core.base import Inputs


def from_records(serialized: tf.Tensor, schema: RecordSchema, sampling: FrameSampling) -> Inputs:
    """Return a batch, with `id`, from serialised records.

    Args:
      serialized: string [N]: `tf.train.Example` for a video-level schema, or
        `tf.train.SequenceExample`.
      schema: schema of the records. If it reads segments, a record becomes several rows, one for
        each of its windows.
      sampling: which frames of a video are read.
    """
    if schema.level == "video":
        return parse_video_batch(serialized, schema, with_labels=False)
    if not schema.segment_labels:
        parse = functools.partial(
            parse_frame_record,
            tf.zeros([], tf.int64),
            schema=schema,
            sampling=sampling,
            seed=0,
            with_labels=False,
        )
        length = sampling.num_frames or schema.max_frames
        return tf.map_fn(parse, serialized, fn_output_signature=_types(schema, (), length))

    cut = functools.partial(parse_windows, schema=schema)
    types = {
        key: tf.RaggedTensorSpec(spec.shape, spec.dtype, ragged_rank=0)
        for key, spec in _types(schema, (None,), SEGMENT_FRAMES).items()
    }
    return {
        key: rows.values
        for key, rows in tf.map_fn(cut, serialized, fn_output_signature=types).items()
    }


def _types(
    schema: RecordSchema, rows: tuple[int | None, ...], length: int
) -> dict[str, tf.TensorSpec]:
    types = {
        "id": tf.TensorSpec(rows, tf.string),
        "frames": tf.TensorSpec((*rows, length, schema.feature_size), frame_type(schema)),
        "num_frames": tf.TensorSpec(rows, tf.int32),
    }
    if schema.video_names:
        types["video"] = tf.TensorSpec((*rows, sum(schema.video_sizes)), tf.float32)
    return types


def array_types(
    schema: RecordSchema, batch: int | None = None, length: int | None = None
) -> dict[str, tf.TensorSpec]:
    """Return the names, shapes and types of the arrays that `from_arrays` takes.

    Args:
      schema: schema of the run's records.
      batch: examples in a batch; None is any number.
      length: T, frames of a video with padding; None is any number.
    """
    if schema.level == "video":
        return {"video": tf.TensorSpec([batch, schema.feature_size], tf.float32, "video")}
    # Not every program that calls an exported model has the types of 16 bits.
    kind = tf.float32 if frame_type(schema).is_floating else tf.uint8
    types = {
        "frames": tf.TensorSpec([batch, length, schema.feature_size], kind, "frames"),
        "num_frames": tf.TensorSpec([batch], tf.int32, "num_frames"),
    }
    if schema.video_names:
        types["video"] = tf.TensorSpec([batch, sum(schema.video_sizes)], tf.float32, "video")
    return types


def from_arrays(arrays: Inputs, schema: RecordSchema, sampling: FrameSampling) -> Inputs:
    """Return a batch from arrays, with the frames that `from_records` would keep.

    Args:
      arrays: as `array_types` says; `frames` are bytes or floats, as in records.
      schema: schema of the run's records.
      sampling: which frames of a video are used.
    """
    if schema.level == "video":
        return arrays
    frames = arrays["frames"][:, : schema.max_frames]
    if frames.dtype.is_floating:
        frames = as_type(frames, frame_type(schema))
    count = tf.clip_by_value(tf.cast(arrays["num_frames"], tf.int32), 0, tf.shape(frames)[1])
    if sampling.kind != "all":
        no_seed = tf.zeros([2], tf.int64)  # evaluation draws nothing at random
        picked = sampling.indices(count[:, tf.newaxis], no_seed)  # [B, n]
        frames = tf.gather(frames, tf.maximum(picked, 0), batch_dims=1)
        count = tf.where(count > 0, sampling.num_frames, 0)
    return {**arrays, "frames": frames, "num_frames": count}


def from_floats(
    rgb_and_audio: tf.Tensor, num_frames: tf.Tensor, schema: RecordSchema, sampling: FrameSampling
) -> Inputs:
    """Return a batch from features as floats, in the type that the reader gives them.

    Source: the starter code's export for MediaPipe (docs/sources.md#serving-signatures).

    Args:
      rgb_and_audio: float32 [B, T, D].
      num_frames: int32 [B, 1], or [1, 1] for all videos.
      schema: schema of the run's records.
      sampling: which frames of a video are used.
    """
    frames = as_type(rgb_and_audio, frame_type(schema))
    count = tf.broadcast_to(tf.reshape(num_frames, [-1]), tf.shape(frames)[:1])
    return from_arrays({"frames": frames, "num_frames": count}, schema, sampling)
