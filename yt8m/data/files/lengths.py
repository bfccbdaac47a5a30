"""Lengths of records that a file cannot hold, found before TensorFlow's reader meets them.

That reader asks for as much memory as a length says before it looks how long the file is, and the
process ends where there is not as much.
"""

from __future__ import annotations

import functools
import os
import struct

import tensorflow as tf

from yt8m.data.files.checksum import masked_crc32c
from yt8m.data.files.scan import OVERHEAD, headers

_BUFFER = 1 << 20  # bytes
_HEADER = 12  # bytes
_HARMLESS = 1 << 28  # bytes that the reader may ask for: a file that was cut off is usual


def may_be_read(path: str) -> bool:
    """Return whether TensorFlow may read a shard; a remote one is taken to be sound.

    Args:
      path: shard. If it may not, `yt8m.data.files.scan` can read it.

    Raises:
      OSError: the shard cannot be opened.
    """
    if "://" in path:
        return True
    about = os.stat(path)
    return _holds_its_records(path, about.st_size, about.st_mtime_ns)


def sound_records(path: str) -> tf.data.Dataset:
    """Return the serialised records of a shard up to the first that is not sound.

    `yt8m.data.files.scan` reads what follows.
    """
    return read_sound(tf.constant([path] if may_be_read(path) else [], tf.string))


def read_sound(paths: tf.Tensor) -> tf.data.Dataset:
    """Return what TensorFlow reads of shards that it may read, [n] paths; no error ends it."""
    return tf.data.TFRecordDataset(paths, buffer_size=_BUFFER).ignore_errors()


@functools.lru_cache(maxsize=1 << 16)
def _holds_its_records(path: str, size: int, modified: int) -> bool:
    """Look at the lengths without their checksums, but for one that is beyond the file.

    Where a wrong one leads astray, TensorFlow's reader has stopped before. The size and the time
    tell a file that was looked at from a later one of the same name.
    """
    offset = 0
    with headers(path) as (_, read):
        while len(header := read(offset)) == _HEADER:
            length, crc = struct.unpack("<QI", header)
            offset += length + OVERHEAD
            if offset > size:
                return length <= _HARMLESS or masked_crc32c(header[:8]) != crc
    return True
