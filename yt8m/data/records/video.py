"""Video-level records (`tf.train.Example` with float means), parsed a batch at a time."""

from __future__ import annotations

import tensorflow as tf

from yt8m.data.records.labels import Beyond, multi_hot
from yt8m.data.schema import ID_KEYS, RecordSchema


def first_id(parsed: dict[str, tf.Tensor]) -> tf.Tensor:
    """Return the id, whichever key the release uses for it, or an empty string."""
    found = parsed[ID_KEYS[-1]]
    for key in reversed(ID_KEYS[:-1]):
        found = tf.where(tf.strings.length(parsed[key]) > 0, parsed[key], found)
    return found


def id_features() -> dict[str, tf.io.FixedLenFeature]:
    """Return the optional string features that may hold the id."""
    return {key: tf.io.FixedLenFeature([], tf.string, "") for key in ID_KEYS}


def parse_video_batch(
    serialized: tf.Tensor,
    schema: RecordSchema,
    with_labels: bool = True,
    beyond: Beyond = "raise",
) -> dict[str, tf.Tensor]:
    """Return a batch with `video` float32 [B, D] from serialised examples [B]."""
    features = id_features()
    for key, size in zip(schema.keys, schema.feature_sizes):
        features[key] = tf.io.FixedLenFeature([size], tf.float32)
    if with_labels:
        features["labels"] = tf.io.VarLenFeature(tf.int64)
    parsed = tf.io.parse_example(serialized, features)
    batch = {
        "id": first_id(parsed),
        "video": tf.concat([parsed[key] for key in schema.keys], axis=-1),  # [B, D]
        "num_frames": tf.ones_like(serialized, tf.int32),
    }
    if with_labels:
        rows, values = parsed["labels"].indices[:, 0], parsed["labels"].values
        size = tf.shape(serialized)[0]
        batch["labels"] = multi_hot(rows, values, size, schema.num_classes, beyond)
        batch["labels"].set_shape([serialized.shape[0], schema.num_classes])
    return batch
