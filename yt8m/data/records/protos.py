"""Records as protocol buffers, for code that examines single records in Python."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def sequence_example(payload: bytes) -> tf.train.SequenceExample | None:
    """Return a record as a SequenceExample, or None if it is neither that nor an Example.

    The context of a SequenceExample has the same field number as the features of an Example, so
    the features of a video-level record are in `context`.
    """
    return _parsed(tf.train.SequenceExample, payload)


def context_features(payload: bytes) -> Any | None:
    """Return the map of a record's features without its frames, which are not unpacked, or None."""
    example = _parsed(tf.train.Example, payload)
    return None if example is None else example.features.feature


def _parsed(kind: Any, payload: bytes) -> Any | None:
    try:
        return kind.FromString(payload)
    except Exception:  # protobuf's DecodeError has moved between its versions
        return None
