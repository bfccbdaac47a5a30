"""A file of arrays after one line of JSON: the weights or the training state of blocks.

Arrays are written and read one after another, so a file of gigabytes takes the memory of its
largest array. Either a complete file is written or none, on any file system and in any store of
objects.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Iterator
from typing import Any, Callable

import numpy as np

from yt8m.largescale.storage import objects
from yt8m.stored import check_size, intact

_AGAIN = "delete it: the same command makes it again."
_LARGEST = 1 << 43  # bytes
_LONGEST_HEADER = 1 << 28
_BLOCK = 1 << 20


def write_arrays(path: str, header: dict[str, Any], arrays: Iterable[np.ndarray]) -> None:
    """Write `header` (ready for JSON) and `arrays` to `path`, which appears when it is complete."""
    with objects.writing(path) as f:
        f.write(json.dumps(header).encode() + b"\n")
        for array in arrays:
            f.write(json.dumps([array.dtype.str, list(array.shape)]).encode() + b"\n")
            f.write(np.ascontiguousarray(array).tobytes())


def read_header(path: str) -> dict[str, Any] | None:
    """Return the header of `path`, or None if there is no such file."""
    if not objects.exists(path):
        return None
    with intact(path, _AGAIN):
        check_size(path, _LARGEST)
        with objects.reading(path) as (f, _):
            return dict(json.loads(_first_line(f)))


def _first_line(f: Any) -> bytes:
    """Return the line of the header, and read not much more of what has none."""
    line: bytes = f.read(_BLOCK)
    if not line.startswith(b"{"):
        raise ValueError("it does not begin with a JSON object")
    while b"\n" not in line and len(line) < _LONGEST_HEADER and (more := f.read(_BLOCK)):
        line += more
    return line.partition(b"\n")[0]


def _array(f: Any, length: int, about: bytes, read: bool) -> np.ndarray | None:
    """Return the array that `about` announces, or None after passing over it."""
    dtype, shape = json.loads(about)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if not 0 <= size <= length - f.tell():
        raise ValueError(f"an array of {size:,} bytes is cut off")
    if not read:
        f.seek(f.tell() + size)
        return None
    return np.frombuffer(f.read(size), dtype).reshape(shape)


def read_arrays(
    path: str, wanted: Callable[[int], bool] = lambda _: True
) -> tuple[dict[str, Any], Iterator[np.ndarray]]:
    """Return the header of `path` and an iterator that reads its arrays one after another.

    Args:
      path: the file.
      wanted: returns whether the array with a number is yielded; the others are not read.

    Raises:
      FileNotFoundError: there is no such file.
    """
    header = read_header(path)
    if header is None:
        raise FileNotFoundError(path)

    def arrays() -> Iterator[np.ndarray]:
        with objects.reading(path) as (f, length):
            f.readline()
            for number in itertools.count():
                with intact(path, _AGAIN):
                    about = f.readline()
                    array = _array(f, length, about, wanted(number)) if about else None
                if array is not None:
                    yield array
                elif not about:
                    return

    return header, arrays()
