"""Records in AudioSet's form."""

import tensorflow as tf


def clip(labels, frames, name=b"clip", key="audio_embedding", context=True) -> bytes:
    """Return a record with frames, each of bytes; `context` gives it the times of its cut."""
    record = tf.train.SequenceExample()
    record.context.feature["video_id"].bytes_list.value.append(name)
    record.context.feature["labels"].int64_list.value.extend(labels)
    for time in ("start_time_seconds", "end_time_seconds") if context else ():
        record.context.feature[time].float_list.value.append(30.0)
    for frame in frames:
        feature = record.feature_lists.feature_list[key].feature.add()
        feature.bytes_list.value.append(bytes(frame))
    return record.SerializeToString()
