"""Walk a TFRecord file past its broken records; the slow, careful path for files the fast reader gave up on.

TensorFlow's reader drops all that follows a broken record. A record is a length (8 bytes) with its
checksum (4), the payload, and its checksum (4): where the length is whole, the next record can be found.
"""

from __future__ import annotations

import struct
from typing import Iterator, List, NamedTuple, Optional

import tensorflow as tf

OVERHEAD = 16  # bytes around each payload


class Scanned(NamedTuple):
    """One record: its byte offset, and either its payload or what is wrong with it."""

    offset: int
    payload: Optional[bytes]
    problem: Optional[str]


def _crc_table() -> List[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _crc_table()


def masked_crc32c(data: bytes) -> int:
    """Return TFRecord's masked CRC-32C (Castagnoli) of a few bytes; slow, for headers."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _read(path: str, start: int) -> Iterator[bytes]:
    dataset = tf.raw_ops.TFRecordDatasetV2(
        filenames=[path], compression_type="", buffer_size=1 << 20, byte_offsets=tf.constant([start], tf.int64)
    )
    spec = tf.TensorSpec([], tf.string)
    records = tf.data.experimental.from_variant(dataset, spec)
    for record in records:
        yield record.numpy()


def scan(path: str, start: int = 0) -> Iterator[Scanned]:
    """Yield every record from byte `start` on; a broken one with its problem.

    After a record whose payload is broken the walk goes on; a broken length or a cut-off end
    leaves nothing to go on by, and ends it.
    """
    size = tf.io.gfile.stat(path).length
    offset = start
    while offset < size:
        try:
            for payload in _read(path, offset):
                yield Scanned(offset, payload, None)
                offset += len(payload) + OVERHEAD
            if offset >= size:
                return
        except tf.errors.OpError:
            pass
        with tf.io.gfile.GFile(path, "rb") as f:
            f.seek(offset)
            header = f.read(12)
        if len(header) < 12:
            yield Scanned(offset, None, f"cut off: {len(header)} bytes of a 12-byte header")
            return
        length, crc = struct.unpack("<QI", header)
        if masked_crc32c(header[:8]) != crc:
            yield Scanned(offset, None, "the length is broken; what follows cannot be found")
            return
        if offset + length + OVERHEAD > size:
            yield Scanned(offset, None, f"cut off: {size - offset - 12} bytes of a payload of {length}")
            return
        yield Scanned(offset, None, f"the payload of {length} bytes does not match its checksum")
        offset += length + OVERHEAD


def record_sizes(path: str, limit: Optional[int] = None) -> Iterator[int]:
    """Yield the bytes of each record, overhead included, by hopping from header to header; stops at what is broken."""
    size = tf.io.gfile.stat(path).length
    offset = 0
    count = 0
    with tf.io.gfile.GFile(path, "rb") as f:
        while offset + OVERHEAD <= size and (limit is None or count < limit):
            f.seek(offset)
            (length,) = struct.unpack("<Q", f.read(8))
            if offset + length + OVERHEAD > size:
                return
            yield length + OVERHEAD
            offset += length + OVERHEAD
            count += 1
