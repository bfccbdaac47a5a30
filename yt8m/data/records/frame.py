"""Frame-level records (`tf.train.SequenceExample`), parsed one at a time; frames stay bytes up to the device.

Features of the whole video, such as an embedding, lie in the record's context as floats; those that the schema names
come as `video`.
"""

from __future__ import annotations

import tensorflow as tf

from yt8m.data.records.labels import multi_hot
from yt8m.data.records.quantization import OFFSET, SCALE
from yt8m.data.records.sampling import FrameSampling
from yt8m.data.records.video import first_id, id_features
from yt8m.data.schema import RecordSchema


def parse_sequence(
    serialized: tf.Tensor, schema: RecordSchema, context: dict
) -> tuple[dict, list, tf.Tensor]:
    """Parse one record into (context, [steps of each feature], frames they have in common, at most T).

    The context has the schema's features of whole videos too; `of_the_video` puts them together.
    """
    context = {
        **context,
        **{
            n: tf.io.FixedLenFeature([s], tf.float32)
            for n, s in zip(schema.video_names, schema.video_sizes)
        },
    }
    lists = {}
    for key, size in zip(schema.keys, schema.feature_sizes):
        shape, kind = ([size], tf.float32) if schema.float_frames else ([], tf.string)
        # A record without the list has no frames; that is a video of length 0, not an error.
        lists[key] = tf.io.FixedLenSequenceFeature(shape, kind, allow_missing=True)
    parsed, sequences = tf.io.parse_single_sequence_example(serialized, context, lists)
    steps = [sequences[key] for key in schema.keys]
    common = tf.shape(steps[0])[0]
    for other in steps[1:]:
        common = tf.minimum(common, tf.shape(other)[0])
    return parsed, steps, tf.minimum(common, schema.max_frames)


def of_the_video(parsed: dict, schema: RecordSchema) -> dict[str, tf.Tensor]:
    """Return `video` float32 [E], the schema's features of whole videos, E in all; nothing where it names none."""
    if not schema.video_names:
        return {}
    return {"video": tf.concat([parsed[name] for name in schema.video_names], axis=-1)}


def to_bytes(steps: list, schema: RecordSchema, num_frames: tf.Tensor) -> tf.Tensor:
    """Return uint8 [num_frames, D] of the first steps of each feature."""
    columns = []
    for values, size in zip(steps, schema.feature_sizes):
        if schema.float_frames:
            q = tf.clip_by_value(tf.round((values - OFFSET) / SCALE), 0.0, 255.0)
            columns.append(tf.cast(q, tf.uint8)[:num_frames])
        else:
            decoded = tf.io.decode_raw(values, tf.uint8)  # of no frames: [0, 0]
            # The name is how `BadRecords.explained` knows steps of another width.
            columns.append(
                tf.reshape(decoded, [tf.shape(values)[0], size], name="decode_raw_width")[
                    :num_frames
                ]
            )
    return tf.concat(columns, axis=-1)


def parse_frame_record(
    position: tf.Tensor,
    serialized: tf.Tensor,
    schema: RecordSchema,
    sampling: FrameSampling,
    seed: int,
    with_labels: bool = True,
    beyond: str = "raise",
) -> dict[str, tf.Tensor]:
    """Parse one record into `frames` uint8 [T, D], zero-padded, `num_frames`, and `video` [E] where features of it are named.

    Only the chosen frames are decoded. The choice depends on `seed` and the record's `position` in
    the epoch alone.
    """
    context = id_features()
    if with_labels:
        context["labels"] = tf.io.VarLenFeature(tf.int64)
    parsed, steps, available = parse_sequence(serialized, schema, context)
    if sampling.kind == "all":
        length = schema.max_frames
        num_frames = available
    else:
        length = sampling.num_frames
        key = tf.stack([tf.constant(seed, tf.int64), position])
        picked = sampling.indices(available, key)
        picked = picked[
            : tf.where(available > 0, length, 0)
        ]  # no frame to draw from an empty video
        steps = [tf.gather(s, picked) for s in steps]
        num_frames = tf.shape(picked)[0]
    frames = to_bytes(steps, schema, num_frames)
    frames = tf.pad(frames, [[0, length - num_frames], [0, 0]])
    frames.set_shape([length, schema.feature_size])
    record = {
        "id": first_id(parsed),
        "frames": frames,
        "num_frames": num_frames,
        **of_the_video(parsed, schema),
    }
    if with_labels:
        values = parsed["labels"].values
        record["labels"] = multi_hot(tf.zeros_like(values), values, 1, schema.num_classes, beyond)[
            0
        ]
        record["labels"].set_shape([schema.num_classes])
    return record
