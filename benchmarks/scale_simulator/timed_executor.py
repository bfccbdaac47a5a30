"""An executor that measures each task of another one: processor time, wall time and bytes."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable

from yt8m.largescale.executors.base import Combine, Shared, TaskFunction

_seen: set[str] = set()


@dataclasses.dataclass(frozen=True)
class TaskTime:
    """What one task took.

    Attributes:
      process: the process that computed it.
      cold: whether it was the first of its kind there, for which the model is built and compiled.
      before: processor seconds of that process before the task.
      processor: processor seconds of the task, of all threads.
      wall: its seconds.
      bytes: bytes of the gradients that it returned.
    """

    process: int
    cold: bool
    before: float
    processor: float
    wall: float
    bytes: int


@dataclasses.dataclass(frozen=True)
class Timed:
    """A task function that returns ([`TaskTime`], value) in place of its value."""

    function: TaskFunction

    def __call__(self, task: Any, shared: Shared) -> tuple[list[TaskTime], Any]:
        """Run the task."""
        name = self.function.__name__
        cold = name not in _seen
        _seen.add(name)
        before, began = time.process_time(), time.perf_counter()
        value = self.function(task, shared)
        processor, wall = time.process_time() - before, time.perf_counter() - began
        size = sum(g.nbytes for g in getattr(value, "gradients", ()))
        return [TaskTime(os.getpid(), cold, before, processor, wall, size)], value


@dataclasses.dataclass(frozen=True)
class TimedCombine:
    """A `Combine` of what `Timed` returns."""

    combine: Combine

    def __call__(self, total: Any, part: Any) -> Any:
        """Return (times, combined value)."""
        if total is None:
            return list(part[0]), self.combine(None, part[1])
        total[0].extend(part[0])
        return total[0], self.combine(total[1], part[1])


@dataclasses.dataclass
class Call:
    """One map over tasks.

    Attributes:
      function: the name of the task function.
      tasks: what each task took.
      wall: seconds of the whole call.
      driver: processor seconds of the trainer's process meanwhile; with the executor of one process
        the tasks are among them.
    """

    function: str
    tasks: list[TaskTime]
    wall: float = 0.0
    driver: float = 0.0


class TimedExecutor:
    """The executor `inner`, whose maps are recorded in `calls`."""

    def __init__(self, inner: Any):
        self._inner = inner
        self.calls: list[Call] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @property
    def check(self) -> Callable[[], None]:
        """The check of the inner executor."""
        return self._inner.check

    @check.setter
    def check(self, check: Callable[[], None]) -> None:
        self._inner.check = check

    @contextlib.contextmanager
    def _call(self, function: TaskFunction) -> Iterator[Call]:
        call = Call(function.__name__, [])
        driver, began = time.process_time(), time.perf_counter()
        yield call
        call.driver, call.wall = time.process_time() - driver, time.perf_counter() - began
        self.calls.append(call)

    def map(
        self, function: TaskFunction, tasks: Sequence[Any], shared: Mapping[str, Any]
    ) -> Iterator[tuple[int, Any]]:
        """Yield (task id, value), as the inner executor does."""
        with self._call(function) as call:
            for task_id, (times, value) in self._inner.map(Timed(function), tasks, shared):
                call.tasks += times
                yield task_id, value

    def map_reduce(
        self,
        function: TaskFunction,
        tasks: Sequence[Any],
        shared: Mapping[str, Any],
        combine: Combine,
    ) -> Any:
        """Return the combined values, as the inner executor does."""
        with self._call(function) as call:
            call.tasks, total = self._inner.map_reduce(
                Timed(function), tasks, shared, TimedCombine(combine)
            )
        return total
