"""A scan of a TFRecord file that continues after its broken records.

TensorFlow's reader drops everything after a broken record. A record is a length (8 bytes) with its
checksum (4), the payload, and its checksum (4): if the length is intact, the next record can be
found.
"""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
from collections.abc import Iterator
from typing import Callable, NamedTuple

import tensorflow as tf

from yt8m import listing
from yt8m.data.files.checksum import masked_crc32c
from yt8m.data.files.kind import other_kind

OVERHEAD = 16  # bytes around each payload
_TOGETHER = 8 << 20  # bytes of payload checked together


class Scanned(NamedTuple):
    """One record.

    Attributes:
      offset: its first byte.
      payload: its content, or None if its bytes are broken.
      problem: what is wrong with it, or None.
      lost: whether nothing after it can be found.
    """

    offset: int
    payload: bytes | None
    problem: str | None
    lost: bool = False


def _checksums(payloads: list[bytes]) -> list[bytes]:
    """Return the 4 bytes that should follow each payload; TensorFlow computes them quickly."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "records")
        with tf.io.TFRecordWriter(path) as writer:
            for payload in payloads:
                writer.write(payload)
        with open(path, "rb") as f:
            written = f.read()
    found, at = [], 0
    for payload in payloads:
        at += 12 + len(payload)
        found.append(written[at : at + 4])
        at += 4
    return found


def _checked(batch: list[tuple[int, bytes, bytes]]) -> Iterator[Scanned]:
    right = _checksums([payload for _, payload, _ in batch])
    for (offset, payload, found), expected in zip(batch, right):
        if found == expected:
            yield Scanned(offset, payload, None)
        else:
            problem = f"the payload of {len(payload)} bytes does not match its checksum"
            yield Scanned(offset, None, problem)


def scan(path: str, start: int = 0) -> Iterator[Scanned]:
    """Yield every record from byte `start` on; broken ones come with their problem.

    The scan continues after a record whose payload is broken. It ends at a broken length or a
    cut-off record, because then the next record cannot be found.
    """
    size = listing.status(path).size
    offset, held, batch = start, 0, []
    problem = None
    with tf.io.gfile.GFile(path, "rb") as f:
        f.seek(start)
        while offset < size:
            header = f.read(12)
            if len(header) < 12:
                problem = f"cut off: {len(header)} bytes of a 12-byte header"
                break
            length, crc = struct.unpack("<QI", header)
            if masked_crc32c(header[:8]) != crc:
                problem = _no_length(path, offset, size, header)
                break
            if offset + length + OVERHEAD > size:
                problem = f"cut off: {size - offset - 12} bytes of a payload of {length}"
                break
            batch.append((offset, f.read(length), f.read(4)))
            offset += length + OVERHEAD
            held += length
            # A few records first, for callers that only look at those; then many at a time.
            if held > _TOGETHER or (start == 0 and offset - held < 1024 and len(batch) == 8):
                yield from _checked(batch)
                held, batch = 0, []
    yield from _checked(batch)
    if problem:
        yield Scanned(offset, None, problem, lost=True)


def _no_length(path: str, offset: int, size: int, header: bytes) -> str:
    """Return the problem of a place without the length of a record."""
    other = other_kind(path) if offset == 0 else ""
    if other:
        return f"the file {other}"
    if not header.strip(b"\0"):
        return (
            f"no record is in the last {size - offset:,} bytes, which begin with zeros; a download"
            " that was cut off ends like this"
        )
    return (
        "the length is broken, so that what follows cannot be found, which is"
        f" {size - offset:,} bytes"
    )


def record_sizes(path: str, limit: int | None = None) -> Iterator[int]:
    """Yield the size of each record with its overhead, up to a broken length; reads only headers.

    The checksums of the lengths are checked, so that what is no record, such as the zeros at the
    end of a download that was cut off, does not count. Those of the payloads are not.

    Args:
      path: shard. Of a remote one, the file system reads what is between the headers too.
      limit: number of records after which to stop; None reads all.
    """
    offset = count = 0
    with headers(path) as (size, read):
        while offset + OVERHEAD <= size and (limit is None or count < limit):
            header = read(offset)
            if len(header) < 12:
                return
            length, crc = struct.unpack("<QI", header)
            if masked_crc32c(header[:8]) != crc or offset + length + OVERHEAD > size:
                return
            yield length + OVERHEAD
            offset += length + OVERHEAD
            count += 1


@contextlib.contextmanager
def headers(path: str) -> Iterator[tuple[int, Callable[[int], bytes]]]:
    """Open a shard; return its size, and a function that reads the 12 bytes at an offset."""
    if "://" not in path:  # GFile would read half a megabyte for each header
        with open(path, "rb", buffering=0) as local:
            size = os.fstat(local.fileno()).st_size
            yield size, lambda offset: os.pread(local.fileno(), 12, offset)
        return
    with tf.io.gfile.GFile(path, "rb") as remote:

        def read(offset: int) -> bytes:
            remote.seek(offset)
            return remote.read(12)

        yield listing.sizes([path])[0], read
