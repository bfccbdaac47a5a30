"""The number of records of each shard that a run has read whole, kept with its checkpoints.

A resumed run leaves out what it has trained on in the epoch. It knows from these numbers which
records those are, and does not open the shards that have no others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from yt8m.data.files.bad_records import BadRecord
from yt8m.files import read_json, write_json
from yt8m.listing import FileStatus
from yt8m.stored import check_size, exists

_NOTHING_READ = (-1, 0)


@dataclasses.dataclass(frozen=True)
class ShardCount:
    """What a reader found in a shard.

    Attributes:
      size: bytes of the shard.
      modified: when it was written, in nanoseconds.
      records: number of records without the broken ones.
      broken: byte and problem of each broken record.
    """

    size: int
    modified: int
    records: int
    broken: tuple[tuple[int, str], ...] = ()

    def bad_records(self, name: str) -> list[BadRecord]:
        """Return the broken records."""
        return [BadRecord(name, offset, problem) for offset, problem in self.broken]


class ShardCounts:
    """What the readers of a run found in its shards.

    Args:
      path: file that keeps it, and is read if it exists.
    """

    def __init__(self, path: str):
        self._path = path
        self._found: dict[str, ShardCount] = {}
        self._position = _NOTHING_READ
        if exists(path):
            self._load()

    def add(self, name: str, count: ShardCount) -> None:
        """Keep what was found in a shard that was read to its end."""
        self._found[name] = count

    def of(self, names: Sequence[str], position: tuple[int, int]) -> list[ShardCount | None]:
        """Return what is known of the shards that were read up to a position in the run.

        Args:
          names: shards.
          position: epoch, and examples done in it.

        Returns:
          The count of each shard, or None where it has not been read whole. It is None for every
          shard if the file was written before that position, because shards that the run has read
          since then would pass for shards that it has not finished.
        """
        found = [self._found.get(name) for name in names]
        if self._position < position and None in found:
            return [None] * len(found)
        return found

    def save(self, position: tuple[int, int]) -> None:
        """Write what was found up to a position, which is that of a checkpoint."""
        found = dict(self._found)  # readers may add to it at any time
        shards = {name: dataclasses.astuple(count) for name, count in found.items()}
        tf.io.gfile.makedirs(self._path.rpartition("/")[0] or ".")
        write_json(self._path, {"format": 1, "position": position, "shards": shards}, indent=None)
        self._position = position

    def _load(self) -> None:
        try:
            check_size(self._path, 1 << 30)
            kept: dict[str, Any] = read_json(self._path)
            self._position = (int(kept["position"][0]), int(kept["position"][1]))
            for name, (size, modified, records, broken) in kept["shards"].items():
                places = tuple((int(offset), str(problem)) for offset, problem in broken)
                self._found[name] = ShardCount(int(size), int(modified), int(records), places)
        except Exception:  # Damaged; the shards are read again.
            self._found, self._position = {}, _NOTHING_READ


def unchanged(counts: Sequence[ShardCount | None], statuses: Sequence[FileStatus]) -> bool:
    """Return whether the shards are those that were counted."""
    return all(
        count is None or (count.size, count.modified) == (status.size, status.modified)
        for count, status in zip(counts, statuses)
    )
