"""Tasks in this process, one after the other; the next one's reading begins while one computes."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from yt8m.largescale.executors.base import (
    FAN,
    Broadcast,
    Combine,
    TaskFn,
    TreeReduction,
    check_counted,
    values_of,
)


class InProcessExecutor:
    """The executor without any engine: the default, and what the others must agree with to the last digit."""

    num_workers = 1

    def broadcast(self, value: Any, key: str) -> Broadcast:
        """Return the value itself under its key."""
        return Broadcast(key, value)

    def map(
        self, fn: TaskFn, tasks: Sequence[Any], shared: Mapping[str, Broadcast]
    ) -> Iterator[tuple[int, Any]]:
        """Yield (task id, value) in the order of the ids."""
        values = values_of(shared)
        prepare = getattr(fn, "prepare", None)
        if prepare is None:
            yield from ((i, fn(task, values)) for i, task in enumerate(tasks))
            return
        with concurrent.futures.ThreadPoolExecutor(1, "yt8m-prepare") as pool:
            coming = pool.submit(prepare, tasks[0], values) if len(tasks) else None
            try:
                for i, task in enumerate(tasks):
                    prepared = coming.result()
                    coming = (
                        pool.submit(prepare, tasks[i + 1], values) if i + 1 < len(tasks) else None
                    )
                    yield i, fn(task, values, prepared)
            finally:  # what was begun for a task that will not run
                if coming is not None and coming.exception() is None:
                    getattr(coming.result(), "close", lambda: None)()

    def map_reduce(
        self,
        fn: TaskFn,
        tasks: Sequence[Any],
        shared: Mapping[str, Broadcast],
        combine: Combine,
        fan: int = FAN,
    ) -> Any:
        """Return all values combined, each added as soon as it is there."""
        tree = TreeReduction(combine, fan)
        ids: list[int] = []
        for i, value in self.map(fn, tasks, shared):
            ids.append(i)
            tree.add(value)
        check_counted(ids, len(tasks))
        return tree.result()

    def close(self) -> None:
        """Nothing was started."""
