"""Whether a file is what was published: its size, its MD5 sum and its first record."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import struct

from yt8m.data.files.checksum import masked_crc32c
from yt8m.data.files.kind import HEAD, kind_of_head


@dataclasses.dataclass
class Item:
    """One file to download.

    Attributes:
      url: where it is.
      path: where it goes.
      md5: its sum; "" if none is published.
      size: its bytes, or None if unknown.
      is_records: whether it is a TFRecord file.
    """

    url: str
    path: str
    md5: str = ""
    size: int | None = None
    is_records: bool = True

    @property
    def name(self) -> str:
        """The published name."""
        return self.url.rpartition("/")[2]


def problem_of(path: str, item: Item, check_record: bool) -> str:
    """Return what is wrong with a file that should be `item`, or "" if nothing is."""
    size = os.path.getsize(path)
    if item.size is not None and size != item.size:
        return f"it has {size} bytes instead of {item.size}"
    if item.md5:
        found = md5_of(path)
        if found != item.md5.lower():
            return f"its MD5 sum is {found} instead of {item.md5}"
    return first_record_problem(path) if check_record and item.is_records else ""


def md5_of(path: str) -> str:
    """Return the MD5 sum of a file."""
    total = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as source:
        for block in iter(lambda: source.read(1 << 20), b""):
            total.update(block)
    return total.hexdigest()


def first_record_problem(path: str) -> str:
    """Return what is wrong with the first record of a TFRecord file, or "" if nothing is."""
    size = os.path.getsize(path)
    with open(path, "rb") as source:
        header = source.read(12)
        if not header:
            return "it is empty (0 bytes)"
        length, crc = struct.unpack("<QI", header.ljust(12, b"\0"))
        if len(header) < 12 or masked_crc32c(header[:8]) != crc:
            kind = kind_of_head(header + source.read(HEAD), "FILE")
            return f"it does not begin with a TFRecord{': it ' if kind else ''}{kind}"
        if 16 + length > size:
            return "its first record is cut off"
        payload = source.read(length)
        (crc,) = struct.unpack("<I", source.read(4))
    return "" if masked_crc32c(payload) == crc else "its first record does not match its checksum"
