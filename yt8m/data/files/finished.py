"""The shards of an epoch that a resumed run has finished, with the records it must not miss."""

from __future__ import annotations

import dataclasses

from yt8m import listing
from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.counts import ShardCounts, unchanged
from yt8m.data.files.reader import SHARDS, block_of
from yt8m.data.files.resume import Shuffle, finished_shards
from yt8m.errors import UserError


@dataclasses.dataclass(frozen=True)
class Finished:
    """Finds the shards that need not be opened at a position in a run.

    Attributes:
      counts: the numbers of records of the run's shards, or None.
      position: epoch, and examples done in it.
      bad: counts the broken records in the shards that are not opened.
      together: number of shards that are read together.
    """

    counts: ShardCounts | None
    position: tuple[int, int]
    bad: BadRecords
    together: int = SHARDS

    def shards(self, files: list[str], done: int, shuffle: Shuffle | None) -> dict[int, int]:
        """Return the places among `files` of the finished shards, with their numbers of records.

        Args:
          files: shards in the order in which the epoch reads them.
          done: number of records of the stream that were done.
          shuffle: the shuffle of the stream, or None.

        Raises:
          UserError: more of their records were broken than may be skipped.
        """
        if self.counts is None or not done:
            return {}
        counts = self.counts.of(files, self.position)
        numbers = [None if count is None else count.records for count in counts]
        block = block_of(self.together)
        is_finished = finished_shards(numbers, self.together, block, done, shuffle)
        found = {i: count for i, count in enumerate(counts) if count and is_finished[i]}
        names = [files[i] for i in found]
        if not unchanged(list(found.values()), listing.statuses(names)):
            return {}
        for name, count in zip(names, found.values()):
            for record in count.bad_records(name):
                try:
                    self.bad.add(record)
                except ValueError as too_many:
                    raise UserError(str(too_many)) from None
        return {i: count.records for i, count in found.items()}
