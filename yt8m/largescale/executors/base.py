"""The interface between the trainer and whatever runs its tasks: broadcast, map, map_reduce, close.

This folder holds all of the project's own code for distribution. Retries, heartbeats and scheduling
are the engine's work. The executors check only that every task was counted, and counted once.

A task function is importable, has no side effects that matter when it runs twice, and returns its
value:

    def count_words(task, shared):            # shared: name -> Broadcast(key, value)
        model = warm(shared["model"].key, lambda: build(shared["model"].value))
        return model(task)                    # `warm` keeps the model for the next task

    executor = make_executor("ray")
    shared = {"model": executor.broadcast(config)}
    for task_id, value in executor.map(count_words, tasks, shared):  # in order of completion
        ...
    total = executor.map_reduce(count_words, tasks, shared, combine=add)
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable, Optional, Protocol, TypeVar

T = TypeVar("T")
FAN = 8  # partial results that one reducing task combines
_broadcasts = itertools.count()


@dataclasses.dataclass(frozen=True)
class Broadcast:
    """A value that every task may read but not change, and the key of this version."""

    key: str
    value: Any


Shared = Mapping[str, Broadcast]
TaskFunction = Callable[[Any, Shared], Any]
# `(total or None, part) -> total` adds `part` to `total`, in place where that saves memory. None
# starts a new total, which must not be `part` itself. A total is the part of the level above.
Combine = Callable[[Optional[Any], Any], Any]


class Executor(Protocol):
    """Runs task functions; made by `make_executor`. A task runs at least once and counts once.

    Attributes:
      check: called before each task, or about every second while a cluster runs them; it may raise
        an exception, which ends the call.
      task_memory: bytes that each task of the following calls asks for, so that a node of a cluster
        runs no more of them at once than fit; 0 asks for none.
    """

    check: Callable[[], None]
    task_memory: int

    @property
    def local(self) -> bool:
        """Whether tasks run in this process, where they can share its objects."""

    def workers(self) -> int:
        """Return how many tasks run at once."""

    def worker_memory(self) -> int | None:
        """Return the bytes that a task may take while all workers of its node have one.

        None stands for a machine that does not say.
        """

    def broadcast(self, value: Any) -> Any:
        """Make `value` readable by tasks under a new key; it is sent to each node once.

        Returns:
          A handle with the `key`, for the arguments `shared` of this executor.
        """

    def map(
        self, function: TaskFunction, tasks: Sequence[Any], shared: Mapping[str, Any]
    ) -> Iterator[tuple[int, Any]]:
        """Yield (task id, value) of every task once, in order of completion.

        A task's id is its index in `tasks`. A cluster may run several short neighbours one after
        another, whose values then come together.
        """

    def map_reduce(
        self,
        function: TaskFunction,
        tasks: Sequence[Any],
        shared: Mapping[str, Any],
        combine: Combine,
    ) -> Any:
        """Return the values of all tasks, combined in the order of their ids in a tree of `FAN`.

        The shape of the tree depends only on the number of tasks. The last digit of a sum therefore
        depends neither on the number of workers nor on the order in which tasks complete.
        """

    def close(self) -> None:
        """Release whatever the executor started."""


def new_key() -> str:
    """Return a key for a broadcast value that no other value of any driver has."""
    return f"{platform.node()}-{os.getpid()}-{next(_broadcasts)}"


def check_counted(ids: Sequence[int], count: int) -> None:
    """Raise an error if a task is missing from a result or counted twice.

    Args:
      ids: the ids of the tasks that were counted, in order.
      count: the number of tasks.

    Raises:
      RuntimeError: `ids` is not 0 .. count - 1.
    """
    if list(ids) != list(range(count)):
        times = collections.Counter(ids)
        missing = [i for i in range(count) if not times[i]]
        repeated = sorted(i for i, n in times.items() if n > 1)
        raise RuntimeError(
            f"{count} tasks should be counted once each and in order; missing: {missing[:10]},"
            f" counted more than once: {repeated[:10]}, order: {list(ids)[:10]}"
        )


class TreeReduction:
    """Combines parts that arrive in the order of their ids; holds one total for each level.

    Args:
      combine: function that adds a part to a total; see `Combine`.
      fan: the number of parts in a total.
      lift: makes the part of the level above of a total; by default a total is one.
    """

    def __init__(
        self, combine: Combine, fan: int = FAN, lift: Callable[[Any], Any] = lambda total: total
    ):
        self._combine, self._fan, self._as_part = combine, fan, lift
        self._totals: list[Any] = []
        self._counts: list[int] = []

    def add(self, part: Any, level: int = 0) -> None:
        """Add the next part.

        Args:
          part: a value of level 0, or the combined value of the next fan^level parts, the first of
            which must have a number that fan^level divides.
          level: the part's level.
        """
        while level >= len(self._totals):
            self._totals.append(None)
            self._counts.append(0)
        for below in range(level):
            if self._counts[below]:
                self._lift(below)
        if self._counts[level] == self._fan:
            self._lift(level)
        self._totals[level] = self._combine(self._totals[level], part)
        self._counts[level] += 1

    def _lift(self, level: int) -> None:
        total, self._totals[level], self._counts[level] = self._totals[level], None, 0
        self.add(self._as_part(total), level + 1)

    def result(self) -> Any:
        """Return the combination of all parts added so far.

        Raises:
          ValueError: no part was added.
        """
        level = 0
        while level < len(self._totals):
            if self._counts[level]:
                if not any(self._counts[level + 1 :]):
                    return self._totals[level]
                self._lift(level)
            level += 1
        raise ValueError("there is no part to combine")


_WARM: collections.OrderedDict[str, Any] = collections.OrderedDict()
_WARM_KEPT = 2  # one model may fill most of a worker's memory; two let a trainer alternate


def warm(key: str, make: Callable[[], T]) -> T:
    """Return the object that this process keeps under `key`; `make` builds it if it is missing.

    A process keeps two objects. The one that was used least recently is dropped first.
    """
    if key not in _WARM:
        while len(_WARM) >= _WARM_KEPT:
            _WARM.popitem(last=False)
        _WARM[key] = make()
    _WARM.move_to_end(key)
    return _WARM[key]


def forget(key: str) -> None:
    """Drop the object that this process keeps under `key`."""
    _WARM.pop(key, None)
