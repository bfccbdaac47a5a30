"""The executor that runs tasks in this process, one after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable

from yt8m.data.files.memory import available_memory
from yt8m.largescale.executors.base import (
    Broadcast,
    Combine,
    TaskFunction,
    TreeReduction,
    check_counted,
    new_key,
)


class InProcessExecutor:
    """The default executor. Every other one must agree with it to the last digit."""

    local = True

    def __init__(self) -> None:
        self.check: Callable[[], None] = lambda: None
        self.task_memory = 0

    def workers(self) -> int:
        """Return 1: tasks run one after another."""
        return 1

    def worker_memory(self) -> int | None:
        """Return the bytes that are still available to this process, or None if none says."""
        return available_memory()

    def broadcast(self, value: Any) -> Broadcast:
        """Return the value itself under a new key."""
        return Broadcast(new_key(), value)

    def map(
        self, function: TaskFunction, tasks: Sequence[Any], shared: Mapping[str, Broadcast]
    ) -> Iterator[tuple[int, Any]]:
        """Yield (task id, value) in the order of the ids."""
        for task_id, task in enumerate(tasks):
            self.check()
            yield task_id, function(task, shared)

    def map_reduce(
        self,
        function: TaskFunction,
        tasks: Sequence[Any],
        shared: Mapping[str, Broadcast],
        combine: Combine,
    ) -> Any:
        """Return all values combined; each is added as soon as it is computed."""
        tree = TreeReduction(combine)
        ids: list[int] = []
        for task_id, value in self.map(function, tasks, shared):
            ids.append(task_id)
            tree.add(value)
        check_counted(ids, len(tasks))
        return tree.result()

    def close(self) -> None:
        """Do nothing, because nothing was started."""
