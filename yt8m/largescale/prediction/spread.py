"""The coordinator of a spread prediction, which merges the parts in order as they come.

The parts and their order depend only on the records, so the output is the same on any number of
workers. A worker's lost part is computed again by the executor. Parts that are whole when the
coordinator is killed are merged by the same command, and not computed again.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from yt8m.data.files.bad_records import BadRecord, BadRecords
from yt8m.data.pipeline import Done
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.largescale.executors import Executor
from yt8m.largescale.prediction.part import PartTask, PredictionJob, open_part, predict_part
from yt8m.largescale.tasks.shard_parts import pack_shards
from yt8m.runs.progress import duration
from yt8m.runs.stop_signal import Stopped, StopSignal
from yt8m.submission.journal.journal import Journal

# Of shards: about 16,000 videos at video level and 3,000 at frame level, whose scores have 250 and
# 50 MB. Parts must be many more than workers, and their last batches, which are smaller, few.
PART_BYTES = {"video": 256 << 20, "frame": 4 << 30}
_ROWS = 1024  # that are merged at a time


def parts_of(files: Sequence[str], schema: RecordSchema) -> list[PartTask]:
    """Return ranges of whole shards in their order, which depend only on the shards' sizes."""
    packed = pack_shards(files, PART_BYTES[schema.level])
    return [PartTask(number, task.shards) for number, task in enumerate(packed)]


def parts_folder(folder: str, settings: Mapping[str, Any]) -> str:
    """Make and return the folder of the parts; delete those of other settings.

    Args:
      folder: that of the journal.
      settings: what the scores depend on.
    """
    text = json.dumps(settings, sort_keys=True, default=str)
    stem = os.path.join(os.path.abspath(folder), "parts-")
    own = stem + hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    for path in glob.glob(glob.escape(stem) + "*"):
        if path != own:
            shutil.rmtree(path)
    os.makedirs(own, exist_ok=True)
    return own


def predict_spread(
    executor: Executor,
    job: PredictionJob,
    parts: Sequence[PartTask],
    journal: Journal,
    stop: StopSignal,
    say: Callable[[str], None] = print,
) -> int:
    """Predict the parts that are not done on the executor's workers, and merge them in order.

    Returns:
      The number of videos or segments, those of a killed process included.

    Raises:
      Stopped: a signal was received; the same command goes on.
      UserError: a part failed, or more records are broken than allowed.
    """
    merge = _Merge(job, journal, say)
    todo = [p for p in parts[merge.next :] if not os.path.isdir(job.path(p.number))]
    ready = {p.number for p in parts[merge.next :]} - {p.number for p in todo}
    say(f"{len(parts)} parts: {merge.next} merged, {len(ready)} to merge, {len(todo)} to predict")
    executor.check = stop.raise_if_set
    if not journal.has_notes:
        merge.note()  # so that the parts are kept, whatever happens
    try:
        merge.those(ready)
        shared = {"job": executor.broadcast(job)}
        for place, _ in executor.map(predict_part, todo, shared):
            ready.add(todo[place].number)
            merge.those(ready)
    except Stopped:
        merge.note()
        raise
    return merge.finish()


class _Merge:
    """Writes parts to the outputs of a journal, in order, and deletes those that are noted."""

    def __init__(self, job: PredictionJob, journal: Journal, say: Callable[[str], None]):
        self._job, self._journal, self._say = job, journal, say
        self.next = int(journal.more.get("parts", 0))
        self._bad, self._done = BadRecords(job.max_bad_records), journal.done
        journal.restore(self._bad)
        self._deletable: list[str] = []
        self._began, self._before = time.monotonic(), journal.done.examples
        self._said = self._began

    def those(self, ready: set[int]) -> None:
        """Merge the parts that are next and ready."""
        while self.next in ready:
            ready.remove(self.next)
            self._add(self._job.path(self.next))

    def _add(self, path: str) -> None:
        scores, broken = open_part(path)
        for file, offset, problem in broken["found"]:
            try:
                self._bad.add(BadRecord(file, int(offset), problem))
            except ValueError as too_many:
                raise UserError(str(too_many)) from None
        try:
            self._journal.check_ids(scores.ids)
        except UserError:
            self.note()
            raise
        for start in range(0, len(scores.ids), _ROWS):
            rows = slice(start, start + _ROWS)
            self._journal.ids.add(scores.ids[rows])
            for writer in self._journal.writers:
                writer.write(scores.ids[rows], scores.scores[rows])
        self._done = Done(self._done.examples + len(scores.ids))
        self.next += 1
        self._journal.more["parts"] = self.next
        self._deletable.append(path)
        if self._journal.note_if_due(self._done, self._bad):
            self._delete()
        if time.monotonic() - self._said > 10:
            self._said = time.monotonic()
            self._say(f"{self._done.examples:,} merged, {self._rate():,.0f} per second")

    def _rate(self) -> float:
        seconds = time.monotonic() - self._began
        return (self._done.examples - self._before) / max(seconds, 1e-9)

    def _delete(self) -> None:
        for path in self._deletable:
            shutil.rmtree(path, ignore_errors=True)
        self._deletable = []

    def note(self) -> None:
        """Note what is merged."""
        self._journal.note(self._done, self._bad)
        self._delete()

    def finish(self) -> int:
        """Print what was found, and return the number of examples."""
        for line in filter(None, [self._bad.summary(), *self._journal.ids.warnings()]):
            self._say(line)
        seconds = time.monotonic() - self._began
        count = self._done.examples - self._before
        self._say(f"predicted {count:,} in {duration(seconds)}, {self._rate():,.0f} per second")
        return self._done.examples
