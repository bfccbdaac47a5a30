"""The loop over tasks that each convert one shard of records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from yt8m.errors import UserError
from yt8m.largescale.executors import Executor, Shared
from yt8m.runs.stop_signal import StopSignal


def run_shards(
    executor: Executor,
    function: Callable[[Any, Shared], int],
    tasks: Sequence[Any],
    shared: Mapping[str, Any],
    max_bad_records: int,
    stop: StopSignal,
) -> None:
    """Run one task for each shard.

    Args:
      executor: runs the tasks.
      function: converts a shard and returns how many of its records were broken.
      tasks: one for each shard.
      shared: handles of what the tasks read.
      max_bad_records: how many broken records the shards may have in total.
      stop: checked after each task.

    Raises:
      Stopped: a signal stopped the run. The shards that were converted stay.
      UserError: more records are broken than allowed, or a task failed.
    """
    broken = 0
    for _, found in executor.map(function, tasks, shared):
        broken += found
        check_broken(broken, max_bad_records)
        stop.raise_if_set()


def check_broken(broken: int, max_bad_records: int) -> None:
    """Raise an error if more records are broken than --max_bad_records allows.

    Raises:
      UserError: there are more.
    """
    if broken > max_bad_records:
        raise UserError(
            f"{broken} broken records were found, but --max_bad_records={max_bad_records} allows no"
            " more; `python -m yt8m.data.inspect --full PATTERN` lists them."
        )
