"""What one call on a cluster runs: some neighbouring tasks, as many as are worth a call.

A call costs the coordinator about 0.2 ms and a worker more, so that tasks that take less are sent
many at a time. How many depends on how long they take and on the workers. The sum does not: a call
takes FAN^n neighbouring tasks from a multiple of FAN^n on and returns what a node of the whole tree
of `TreeReduction` contains. No call takes a large part of what is left, so that all workers are
busy to the end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from yt8m.largescale.executors.base import FAN, Broadcast, Combine, TaskFunction, TreeReduction
from yt8m.largescale.executors.heartbeat import ends_without_progress

CALL_SECONDS = 1.0  # of tasks that are shorter, a call takes as many as last about so long
_CALLS_A_WORKER = 4  # that are still to come, at least, when a call takes more than one task
_NEWEST = 0.1  # the weight of the newest call in the mean time of a task


class Call(NamedTuple):
    """Tasks `start` to `stop` - 1, whose sum is a part of level `level` of the tree."""

    start: int
    stop: int
    level: int


class CallSizes:
    """Cuts tasks into calls, one after another.

    Args:
      count: the number of tasks.

    Attributes:
      start: the first task that is in no call yet.
    """

    def __init__(self, count: int):
        self._count, self.start = count, 0
        self._seconds: float | None = None  # of a task

    @property
    def left(self) -> int:
        """The number of tasks that are in no call yet."""
        return self._count - self.start

    def next(self, workers: int) -> Call:
        """Return the next call, for a cluster of so many workers; there must be a task left."""
        most = 1.0
        if self._seconds is not None:
            share = self.left / (_CALLS_A_WORKER * max(1, workers))
            most = min(share, CALL_SECONDS / max(self._seconds, 1e-9))
        size, level = 1, 0
        while size * FAN <= most and self.start % (size * FAN) == 0:
            size, level = size * FAN, level + 1
        call = Call(self.start, self.start + size, level)
        self.start = call.stop
        return call

    def took(self, call: Call, seconds: float) -> None:
        """Note how long the tasks of a call took in their worker."""
        mean = seconds / (call.stop - call.start)
        before = mean if self._seconds is None else self._seconds
        self._seconds = before + _NEWEST * (mean - before)


class Part(NamedTuple):
    """The combined value of tasks `start` to `stop` - 1, each of which was counted once."""

    start: int
    stop: int
    value: Any


def joined(combine: Combine, *parts: Part) -> Part:
    """Return neighbouring parts combined in their order.

    Raises:
      RuntimeError: a task is missing between them, or was counted twice.
    """
    total = None
    for i, part in enumerate(parts):
        if i and part.start != parts[i - 1].stop:
            raise RuntimeError(
                f"tasks should be counted once each and in order, but those before"
                f" {parts[i - 1].stop} are followed by those from {part.start}"
            )
        total = combine(total, part.value)
    return Part(parts[0].start, parts[-1].stop, total)


class Job(NamedTuple):
    """What all calls of a map or sum have in common, which is sent to each node once.

    Attributes:
      limit: seconds without progress after which a task ends its process.
      function: the task function.
      combine: see `Combine`; None lists the values.
      keys: the key of each broadcast value by name.
      heartbeats: handle of the actor `Heartbeats`.
    """

    limit: float
    function: TaskFunction
    combine: Combine | None
    keys: Mapping[str, str]
    heartbeats: Any


def run_tasks(job: Job, sent: tuple[int, Sequence[Any]], *values: Any) -> tuple[float, Part]:
    """Run the tasks of one call in a worker, one after another.

    Args:
      job: what to do with them.
      sent: the id of the first task, and the tasks; one argument, because each costs the driver
        0.1 ms.
      *values: the broadcast values in the order of `job.keys`.

    Returns:
      How many seconds the tasks took, which is small and tells the driver of the progress, and
      their part, which stays in the object store.
    """
    limit, function, combine, keys, heartbeats = job
    start, tasks = sent
    shared = {name: Broadcast(key, value) for (name, key), value in zip(keys.items(), values)}
    began = time.monotonic()

    def results() -> Iterator[Any]:
        for task in tasks:
            with ends_without_progress(limit, heartbeats.tell.remote):
                value = function(task, shared)
            yield value

    if combine is None:
        value = list(results())
    elif len(tasks) == 1:  # no sum yet: a task's own value may be smaller than a total
        (value,) = results()
    else:
        tree = TreeReduction(combine)
        for each in results():
            tree.add(each)
        value = tree.result()
    return time.monotonic() - began, Part(start, start + len(tasks), value)
