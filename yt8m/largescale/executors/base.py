"""The seam between the trainer and whatever runs its tasks: broadcast, map, map_reduce, close.

All that the project owns of distribution is in this folder. There is no retry, heartbeat or scheduling code: an
engine that has them does that work. What is checked here is that every task was counted, and counted once.

A task function is importable, pure and returns its value:

    def count_words(task, shared):            # shared: name -> Broadcast(key, value)
        model = warm(shared["model"].key, lambda: build(shared["model"].value))   # kept for the next task
        return model(task)

    executor = make_executor("ray")
    shared = {"model": executor.broadcast(config, key="model-1")}
    for task_id, value in executor.map(count_words, tasks, shared): ...           # as they complete
    total = executor.map_reduce(count_words, tasks, shared, combine=add)          # one value, whatever the order

A function may carry a second one as its attribute `prepare(task, shared)`, which begins what the task waits for
(reading, say) and returns something for `fn(task, shared, prepared)`: an executor may call it while another task
computes. One that never calls it is as right. What it returns is closed, if it has `close()`, where its task does
not come to run.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import (
    Any,
    Callable,
    Optional,
    Protocol,
    TypeVar,
)

T = TypeVar("T")
FAN = 8  # partial results summed by one reducing task


@dataclasses.dataclass(frozen=True)
class Broadcast:
    """A value that every task may read, never write, and a key that names this version of it."""

    key: str
    value: Any


class Handle(Protocol):
    """What `broadcast` returns; only its executor knows what is behind it."""

    key: str


Shared = Mapping[str, Broadcast]
TaskFn = Callable[
    ..., Any
]  # (task, shared) or, with what `prepare` returned, (task, shared, prepared)
# `(total or None, part) -> total`: add `part` to `total`, in place where that saves memory; None begins a new
# total, which must not be `part` itself. A total is also the part of a higher level.
Combine = Callable[[Optional[Any], Any], Any]


class Executor(Protocol):
    """Runs task functions; made by `make_executor`. A task RUNS at least once and COUNTS once."""

    num_workers: int

    def broadcast(self, value: Any, key: str) -> Handle:
        """Make `value` readable by tasks, sent once to each node; `key` must change when the value does."""

    def map(
        self, fn: TaskFn, tasks: Sequence[Any], shared: Mapping[str, Handle]
    ) -> Iterator[tuple[int, Any]]:
        """Yield (task id, fn's value) of every task once, as they complete; a task's id is its place in `tasks`."""

    def map_reduce(
        self,
        fn: TaskFn,
        tasks: Sequence[Any],
        shared: Mapping[str, Handle],
        combine: Combine,
        fan: int = FAN,
    ) -> Any:
        """Return the values of all tasks combined, in the order of their ids, `fan` at a time in a tree.

        The shape of the tree depends on the number of tasks and on `fan` alone, so the last digit of a sum
        depends on neither the number of workers nor who was first.
        """

    def close(self) -> None:
        """Give back what was started."""


def check_counted(ids: Sequence[int], count: int) -> None:
    """Refuse a result in which a task is missing or counted twice.

    Raises:
      RuntimeError: `ids`, in order, are not 0 .. count - 1.
    """
    if list(ids) != list(range(count)):
        often = collections.Counter(ids)
        missing = [i for i in range(count) if not often[i]]
        twice = sorted(i for i, n in often.items() if n > 1)
        raise RuntimeError(
            f"{count} tasks were to be counted once, in order; missing: {missing[:10]}, more than once: {twice[:10]},"
            f" got {list(ids)[:10]}"
        )


class TreeReduction:
    """Combines parts that come in the order of their ids, holding one total a level; the tree of `map_reduce`.

    Args:
      combine: see `Combine`.
      fan: parts a total.
    """

    def __init__(self, combine: Combine, fan: int = FAN):
        if fan < 2:
            raise ValueError(f"fan is at least 2, not {fan}")
        self._combine, self._fan = combine, fan
        self._totals: list[Any] = []
        self._counts: list[int] = []

    def add(self, part: Any, level: int = 0) -> None:
        """Take the next part."""
        if level == len(self._totals):
            self._totals.append(None)
            self._counts.append(0)
        if self._counts[level] == self._fan:
            self._lift(level)
        self._totals[level] = self._combine(self._totals[level], part)
        self._counts[level] += 1

    def _lift(self, level: int) -> None:
        total, self._totals[level], self._counts[level] = self._totals[level], None, 0
        self.add(total, level + 1)

    def result(self) -> Any:
        """Return the combination of all parts taken."""
        level = 0
        while level < len(self._totals):
            if self._counts[level]:
                if not any(self._counts[level + 1 :]):
                    return self._totals[level]
                self._lift(level)
            level += 1
        raise ValueError("nothing was combined")


_WARM: collections.OrderedDict[str, Any] = collections.OrderedDict()
_WARM_KEPT = 2  # a model may be most of a worker's memory; two, so that a trainer may alternate


def warm(key: str, make: Callable[[], T]) -> T:
    """Return what this process keeps under `key`, made now if there is none; the least lately used goes first."""
    if key not in _WARM:
        while len(_WARM) >= _WARM_KEPT:
            _WARM.popitem(last=False)
        _WARM[key] = make()
    _WARM.move_to_end(key)
    return _WARM[key]


def forget(key: str) -> None:
    """Drop what this process keeps under `key`."""
    _WARM.pop(key, None)


def values_of(handles: Mapping[str, Broadcast]) -> dict[str, Broadcast]:
    """Return handles that are their own values (of an executor in one process), checked."""
    for name, handle in handles.items():
        if not isinstance(handle, Broadcast):
            raise TypeError(f"shared[{name!r}] is not from this executor's broadcast()")
    return dict(handles)
