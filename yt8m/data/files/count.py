"""The number of records of a data set: counted if that is cheap, else estimated from file sizes."""

from __future__ import annotations

import concurrent.futures

from yt8m import listing
from yt8m.data.files.scan import record_sizes
from yt8m.data.files.shards import evenly_spaced

_SHARDS_TO_WALK = 128
_SHARDS_TO_SAMPLE = 16
_HEADERS_TO_READ = 400
# A remote shard is read from its beginning, because to jump to the next header takes a request.
_REMOTE_SHARDS_TO_SAMPLE = 32
_REMOTE_BYTES = 4 << 20  # of each: all 64 records at video level, about 16 at frame level
_REMOTE_RECORDS = 64


def count_records(files: list[str]) -> tuple[int, bool]:
    """Return the number of records and whether it is exact.

    Up to 128 local shards are counted by their headers, which takes a few bytes of each record. For
    more shards, or remote ones, the number is estimated as the total size of the files divided by
    the mean size of the first records of evenly spaced shards: 400 of each of 16 local ones, or
    what fits in 4 MB of each of 32 remote ones, at most 64.
    """
    is_remote = any("://" in f for f in files)
    if len(files) <= _SHARDS_TO_WALK and not is_remote:
        return sum(sum(1 for _ in record_sizes(f)) for f in files), True
    if is_remote:
        sample = evenly_spaced(files, _REMOTE_SHARDS_TO_SAMPLE)
        with concurrent.futures.ThreadPoolExecutor(listing.AT_ONCE) as pool:
            walked = [size for sizes in pool.map(_first_sizes, sample) for size in sizes]
    else:
        sample = evenly_spaced(files, _SHARDS_TO_SAMPLE)
        walked = [s for f in sample for s in record_sizes(f, _HEADERS_TO_READ)]
    total = sum(listing.sizes(files))
    return (round(total / (sum(walked) / len(walked))) if walked else 0), False


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
