"""Writers of records in the official format; a shard appears only when it is complete."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from yt8m import files
from yt8m.data.schema import SEGMENT_FRAMES


def _bytes(values: Sequence[bytes]) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _ints(values: Iterable[int]) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[int(v) for v in values]))


def _floats(values: Iterable[float]) -> tf.train.Feature:
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def video_record(
    video_id: bytes,
    features: Mapping[str, Iterable[float]],
    labels: Iterable[int] | None,
    id_key: str = "id",
) -> bytes:
    """Return a serialised video-level record.

    Args:
      video_id: id of the video.
      features: values of each feature, e.g. of `mean_rgb`.
      labels: labels of the video; None leaves the key out.
      id_key: key of the id.
    """
    values = {id_key: _bytes([video_id]), **{k: _floats(v) for k, v in features.items()}}
    if labels is not None:
        values["labels"] = _ints(labels)
    record = tf.train.Example(features=tf.train.Features(feature=values))
    return record.SerializeToString(deterministic=True)


def frame_record(
    video_id: bytes,
    features: Mapping[str, np.ndarray],
    labels: Iterable[int] | None,
    id_key: str = "id",
    segments: Sequence[tuple[int, int, float]] | None = None,
    of_video: Mapping[str, Iterable[float]] | None = None,
) -> bytes:
    """Return a serialised frame-level record.

    Args:
      video_id: id of the video.
      features: frames of each feature, e.g. `rgb`: uint8 [n, 1024], written as bytes, or float
        [n, 1024], written as float lists.
      labels: labels of the video; None leaves the key out.
      id_key: key of the id.
      segments: ratings (start second, class, score) of the 2019 release.
      of_video: float features of the whole video, such as an embedding, by their keys in the
        context.
    """
    context = {id_key: _bytes([video_id])}
    if labels is not None:
        context["labels"] = _ints(labels)
    if segments is not None:
        context["segment_start_times"] = _ints(s for s, _, _ in segments)
        context["segment_end_times"] = _ints(s + SEGMENT_FRAMES for s, _, _ in segments)
        context["segment_labels"] = _ints(c for _, c, _ in segments)
        context["segment_scores"] = _floats(x for _, _, x in segments)
    context.update({key: _floats(values) for key, values in (of_video or {}).items()})
    lists = {key: tf.train.FeatureList(feature=_steps(v)) for key, v in features.items()}
    record = tf.train.SequenceExample(
        context=tf.train.Features(feature=context),
        feature_lists=tf.train.FeatureLists(feature_list=lists),
    )
    return record.SerializeToString(deterministic=True)


def _steps(values: np.ndarray) -> list[tf.train.Feature]:
    if values.dtype == np.uint8:
        return [_bytes([v.tobytes()]) for v in values]
    return [_packed(v) for v in np.asarray(values, "<f4")]


def _packed(values: np.ndarray) -> tf.train.Feature:
    """Return a float list from its serialised form, which is 20 times as fast as from numbers."""
    content = values.tobytes()
    size, length = len(content), b""
    while size > 0x7F:  # A length has 7 bits in each byte, the lowest first.
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    written = b"\x0a" + length + bytes([size]) + content
    return tf.train.Feature(float_list=tf.train.FloatList.FromString(written))


def write_shard(path: str, records: Iterable[bytes]) -> int:
    """Write records to `path` through a temporary file, and return their number."""
    tf.io.gfile.makedirs(os.path.dirname(path) or ".")
    count = 0
    with files.whole(path) as unfinished, tf.io.TFRecordWriter(unfinished) as writer:
        for record in records:
            writer.write(record)
            count += 1
    return count
