"""A file of arrays behind one line of JSON: the weights of a partition, or all that resumes its training.

Written and read one array after the other, so that a file of gigabytes passes through the memory of
its largest array; written whole or not at all; on any file system.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf


def write_arrays(path: str, header: dict[str, Any], arrays: Iterable[np.ndarray]) -> None:
    """Write `header` (JSON-ready) and `arrays` to `path`, which appears when it is whole."""
    with tf.io.gfile.GFile(path + ".tmp", "wb") as f:
        f.write(json.dumps(header).encode() + b"\n")
        for array in arrays:
            about = json.dumps([array.dtype.str, list(array.shape)]).encode() + b"\n"
            f.write(about)
            f.write(np.ascontiguousarray(array).tobytes())
    tf.io.gfile.rename(path + ".tmp", path, overwrite=True)


def read_header(path: str) -> dict[str, Any] | None:
    """Return the header of `path`, or None where there is no such file."""
    if not tf.io.gfile.exists(path):
        return None
    with tf.io.gfile.GFile(path, "rb") as f:
        return json.loads(f.readline())


def read_arrays(path: str) -> tuple[dict[str, Any], Iterator[np.ndarray]]:
    """Return the header of `path` and its arrays, each read when it is asked for."""
    header = read_header(path)
    if header is None:
        raise FileNotFoundError(path)

    def arrays() -> Iterator[np.ndarray]:
        with tf.io.gfile.GFile(path, "rb") as f:
            f.readline()
            while True:
                about = f.readline()
                if not about:
                    return
                dtype, shape = json.loads(about)
                data = f.read(int(np.prod(shape)) * np.dtype(dtype).itemsize)
                yield np.frombuffer(data, dtype).reshape(shape)

    return header, arrays()
