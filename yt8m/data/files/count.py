"""The number of records of a data set: counted if that is cheap, else estimated from file sizes."""

from __future__ import annotations

import concurrent.futures
import dataclasses

import tensorflow as tf

from yt8m import listing
from yt8m.data.files.kind import other_kind
from yt8m.data.files.scan import record_sizes, scan
from yt8m.data.files.shards import evenly_spaced
from yt8m.errors import UserError

_SHARDS_TO_WALK = 128
_SHARDS_TO_SAMPLE = 16
_HEADERS_TO_READ = 400
# A remote shard is read from its beginning, because to jump to the next header takes a request.
_REMOTE_SHARDS_TO_SAMPLE = 32
_REMOTE_BYTES = 4 << 20  # of each: all 64 records at video level, about 16 at frame level
_REMOTE_RECORDS = 64
_ENDS_TO_READ = 1000  # local shards that are asked for zeros at their end
_SHOWN = 3
_BLOCK = 1 << 20  # bytes that are searched for zeros together


@dataclasses.dataclass(frozen=True)
class Count:
    """The number of records of some shards.

    Attributes:
      records: their number. A record counts if its length is intact, whatever its payload is.
      exact: whether they were counted, and not estimated.
      ends: shard -> the byte from which on it has no record that can be found, for those that were
        counted and do not end with a record.
    """

    records: int
    exact: bool
    ends: dict[str, int] = dataclasses.field(default_factory=dict)


def count_records(files: list[str]) -> tuple[int, bool]:
    """Return the number of records and whether it is exact; see `count`."""
    found = count(files)
    return found.records, found.exact


def count(files: list[str]) -> Count:
    """Return the number of records.

    Up to 128 local shards are counted by their headers, which takes a few bytes of each record. For
    more shards, or remote ones, the number is estimated as the total size of the files divided by
    the mean size of the first records of evenly spaced shards: 400 of each of 16 local ones, or
    what fits in 4 MB of each of 32 remote ones, at most 64. Zeros at the end of a shard are no
    records; all shards are asked for them only if one of those 32 has some, or of 1,000 local ones.
    """
    is_remote = any("://" in f for f in files)
    sizes = listing.sizes(files)
    if len(files) <= _SHARDS_TO_WALK and not is_remote:
        return _walked(files, sizes)
    with concurrent.futures.ThreadPoolExecutor(listing.AT_ONCE) as pool:
        if is_remote:
            sample = ends = evenly_spaced(files, _REMOTE_SHARDS_TO_SAMPLE)
            walked = [size for some in pool.map(_first_sizes, sample) for size in some]
        else:
            sample = evenly_spaced(files, _SHARDS_TO_SAMPLE)
            walked = [s for f in sample for s in record_sizes(f, _HEADERS_TO_READ)]
            ends = evenly_spaced(files, _ENDS_TO_READ)
        total = sum(sizes) - _zeros(dict(zip(files, sizes)), ends, pool)
    return Count(round(total / (sum(walked) / len(walked))) if walked else 0, exact=False)


def lost_ends(counted: Count, flag: str = "--train_data_pattern") -> list[str]:
    """Return a line about each shard whose end holds no record, after three only their number.

    Args:
      counted: from `count`.
      flag: flag that named the shards, for messages.

    Raises:
      UserError: one is a file of another kind.
    """
    lines = []
    for path, end in counted.ends.items():
        if end == 0 and (other := other_kind(path)):
            raise UserError(f"{flag}: {path} is not a TFRecord file: it {other}.")
        problem = next((r.problem for r in scan(path, end) if r.problem), "")
        lines.append(f"{path} has no record from byte {end:,} on: {problem}")
    if len(lines) <= _SHOWN:
        return lines
    return [*lines[:_SHOWN], f"and so it is with {len(lines) - _SHOWN:,} more files"]


def _walked(files: list[str], sizes: list[int]) -> Count:
    records, ends = 0, {}
    for path, size in zip(files, sizes):
        end = 0
        for each in record_sizes(path):
            records, end = records + 1, end + each
        if end < size:
            ends[path] = end
    return Count(records, exact=True, ends=ends)


def _zeros(
    sizes: dict[str, int], sample: list[str], pool: concurrent.futures.ThreadPoolExecutor
) -> int:
    """Return the zeros at the ends of shards, by their sizes; none if a sample has none."""

    def asked(paths: list[str]) -> int:
        return sum(pool.map(lambda path: _zeros_at_end(path, sizes[path]), paths))

    return asked(list(sizes)) if asked(sample) else 0


def _zeros_at_end(path: str, size: int) -> int:
    """Return the zeros with which a shard ends; a record's checksum rarely ends with one."""
    zeros = 0
    with tf.io.gfile.GFile(path, "rb") if "://" in path else open(path, "rb") as f:
        block = min(16, size)  # which show for nearly all shards that there are none
        while zeros < size:
            first = max(0, size - zeros - block)
            f.seek(first)
            part = f.read(size - zeros - first)
            found = len(part) - len(part.rstrip(b"\0"))
            zeros, block = zeros + found, _BLOCK
            if found < len(part) or not part:
                break
    return zeros


def _first_sizes(path: str) -> list[int]:
    """Return the sizes of a remote shard's first records."""
    sizes: list[int] = []
    for size in record_sizes(path, _REMOTE_RECORDS):
        sizes.append(size)
        # The number depends on the first record only: to stop once many bytes were read would
        # leave out large records more often than small ones.
        if len(sizes) >= max(4, _REMOTE_BYTES // sizes[0]):
            break
    return sizes
