"""A file of arrays after one line of JSON: the weights or the training state of blocks.

Arrays are written and read one after another, so a file of gigabytes takes the memory of its
largest array. Either a complete file is written or none, on any file system.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.files import temporary


def write_arrays(path: str, header: dict[str, Any], arrays: Iterable[np.ndarray]) -> None:
    """Write `header` (ready for JSON) and `arrays` to `path`, which appears when it is complete."""
    unfinished = temporary(path)
    with tf.io.gfile.GFile(unfinished, "wb") as f:
        f.write(json.dumps(header).encode() + b"\n")
        for array in arrays:
            f.write(json.dumps([array.dtype.str, list(array.shape)]).encode() + b"\n")
            f.write(np.ascontiguousarray(array).tobytes())
    tf.io.gfile.rename(unfinished, path, overwrite=True)


def read_header(path: str) -> dict[str, Any] | None:
    """Return the header of `path`, or None if there is no such file."""
    if not tf.io.gfile.exists(path):
        return None
    with tf.io.gfile.GFile(path, "rb") as f:
        return json.loads(f.readline())


def read_arrays(path: str) -> tuple[dict[str, Any], Iterator[np.ndarray]]:
    """Return the header of `path` and an iterator that reads its arrays one after another.

    Raises:
      FileNotFoundError: there is no such file.
    """
    header = read_header(path)
    if header is None:
        raise FileNotFoundError(path)

    def arrays() -> Iterator[np.ndarray]:
        with tf.io.gfile.GFile(path, "rb") as f:
            f.readline()
            while about := f.readline():
                dtype, shape = json.loads(about)
                data = f.read(int(np.prod(shape)) * np.dtype(dtype).itemsize)
                yield np.frombuffer(data, dtype).reshape(shape)

    return header, arrays()
