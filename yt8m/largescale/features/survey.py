"""What is in a feature store, found by tasks that each look at some of its shards.

The driver reads neither features nor labels. A store is completed in four stages, and a kill
between any two of them loses no shard that is complete:

1. the index, if there is one of the same plan, says that all is there, and nothing else is done;
2. otherwise it is removed, and tasks compare every shard with its checksums;
3. the missing and damaged ones are computed, one a task, and then measured like the others;
4. the index is written.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import Any, Callable

import numpy as np

from yt8m.data.files.shards import evenly_spaced
from yt8m.largescale.executors import Executor, Shared, progress
from yt8m.largescale.features.index import StoreIndex, read_index, remove_index, write_index
from yt8m.largescale.features.plan import PLAN, FeaturePlan, numpy_dtype
from yt8m.largescale.features.shard import DamagedShard, shard_files
from yt8m.largescale.tasks.shared_folder import check_plan, not_shared
from yt8m.runs.stop_signal import StopSignal
from yt8m.stored import Damaged

_TASKS = 1000  # at most, so that a million shards are as many tasks as a thousand
_LOOKED_FOR = 100  # shards by which the driver sees whether its folder is the workers'
_COUNTED_LABELS = 1 << 20  # labels counted at a time


@dataclasses.dataclass
class Survey:
    """What was found of some shards.

    Attributes:
      shards: the numbers of those that are complete, int64 [m].
      sizes: how many videos they have, int64 [m].
      stamps: see `StoreIndex`, uint32 [m].
      width: D, or 0 if they have no video.
      label_counts: the positives of each class in all of them, int64 [K].
      absent: the numbers of the missing and damaged ones, int64 [n - m].
      damaged: a line about each that is damaged.
    """

    shards: np.ndarray
    sizes: np.ndarray
    stamps: np.ndarray
    width: int
    label_counts: np.ndarray
    absent: np.ndarray
    damaged: list[str]

    def index(self, plan: FeaturePlan) -> StoreIndex:
        """Return the index of a store, all of whose shards these are."""
        order = np.argsort(self.shards)
        sizes, stamps = self.sizes[order], self.stamps[order]
        return StoreIndex(plan.digest, plan.dtype, self.width, sizes, stamps, self.label_counts)


def survey_shards(shards: np.ndarray, shared: Shared) -> Survey:
    """Return what is there of some shards.

    Args:
      shards: their numbers, int64 [n].
      shared: "plan" (`FeaturePlan.without_files`), and "verify": whether features in a folder are
        compared with their checksums, as labels are.

    Raises:
      UserError: the folder is not that of the process that sent the task.
    """
    plan: FeaturePlan = shared["plan"].value
    check_plan(plan.folder, PLAN)
    place, dtype, verify = plan.place(), numpy_dtype(plan.dtype), shared["verify"].value
    found: list[tuple[int, int, int]] = []
    absent: list[int] = []
    damaged: list[str] = []
    width, counts = 0, np.zeros(plan.schema.num_classes, np.int64)
    for index in shards.tolist():
        progress()
        try:
            shard = place.stored(index, dtype, verify)
        except DamagedShard as error:
            damaged.append(str(error))
            shard = None
        if shard is None:
            absent.append(index)
            continue
        size, columns = (int(x) for x in shard.shape)
        found.append((index, size, shard.stamp))
        width = max(width, columns)
        for start in range(0, len(shard.indices), _COUNTED_LABELS):
            labels = shard.indices[start : start + _COUNTED_LABELS]
            counts += np.bincount(labels, minlength=len(counts))
    numbers = np.array(found, np.int64).reshape(-1, 3).T
    return Survey(
        numbers[0],
        numbers[1],
        numbers[2].astype(np.uint32),
        width,
        counts,
        np.array(absent, np.int64),
        damaged,
    )


def together(total: Survey | None, part: Survey) -> Survey:
    """Return what two surveys of different shards found, those of the first before the others."""
    if total is None:
        return dataclasses.replace(part)
    return Survey(
        np.concatenate([total.shards, part.shards]),
        np.concatenate([total.sizes, part.sizes]),
        np.concatenate([total.stamps, part.stamps]),
        max(total.width, part.width),
        total.label_counts + part.label_counts,
        np.concatenate([total.absent, part.absent]),
        total.damaged + part.damaged,
    )


def survey(
    executor: Executor, plan: FeaturePlan, shards: Sequence[int], verify: bool, stop: StopSignal
) -> Survey:
    """Return what tasks find of some shards of a plan that was written; see `survey_shards`.

    Raises:
      Stopped: `stop` was set.
    """
    numbers = np.asarray(shards, np.int64)
    tasks = np.array_split(numbers, min(len(numbers), _TASKS))
    shared: dict[str, Any] = {
        "plan": executor.broadcast(plan.without_files()),
        "verify": executor.broadcast(verify),
    }
    with _ended_by(stop, executor):
        found: Survey = executor.map_reduce(survey_shards, tasks, shared, together)
    return found


@contextlib.contextmanager
def _ended_by(stop: StopSignal, executor: Executor) -> Iterator[None]:
    """Let a signal end a call of the executor, nothing of which has to be saved."""
    before, executor.check = executor.check, stop.raise_if_set
    try:
        yield
    finally:
        executor.check = before


def complete(
    plan: FeaturePlan,
    executor: Executor,
    compute: Callable[[FeaturePlan, Sequence[int]], None],
    stop: StopSignal,
    say: Callable[[str], None],
) -> None:
    """Compute what is missing of a plan's features, and write their index.

    Args:
      plan: the features.
      executor: runs the tasks that look at the shards.
      compute: computes the shards with some numbers, of the plan as it was written.
      stop: checked before each task.
      say: prints a line about each file that is damaged.

    Raises:
      Stopped: `stop` was set. The same call goes on.
      UserError: the folder contains other features, or the nodes do not share it.
    """
    plan = plan.write()
    if _is_indexed(plan, say):
        return
    found = survey(executor, plan, range(len(plan.files)), True, stop)
    for line in found.damaged:
        say(line)
    missing = found.absent.tolist()
    if missing:
        compute(plan, missing)
        new = survey(executor, plan, missing, False, stop)
        _check_shared(plan, missing, new.absent.tolist())
        found = together(found, new)
    write_index(plan.folder, found.index(plan))


def _is_indexed(plan: FeaturePlan, say: Callable[[str], None]) -> bool:
    """Return whether an index says that the plan's features are complete, after removing another.

    Raises:
      Damaged: the index can neither be read nor removed.
    """
    try:
        index = read_index(plan.folder)
    except Damaged as damaged:
        try:
            remove_index(plan.folder)
        except Exception:  # It is a folder, or the system refuses.
            raise Damaged(f"{damaged} It cannot be removed: delete it.") from None
        say(str(damaged))
        return False
    if index is not None and (index.plan, len(index.sizes)) == (plan.digest, len(plan.files)):
        return True
    remove_index(plan.folder)
    return False


def _check_shared(plan: FeaturePlan, computed: Sequence[int], gone: Sequence[int]) -> None:
    """Raise an error if not every process sees the shards that were computed.

    Args:
      plan: the features.
      computed: the numbers of the shards.
      gone: those of them that a task did not find.

    Raises:
      UserError: a task, or this process, misses some.
    """
    lost = len(gone)
    if not lost and "://" not in plan.folder:
        names = [shard_files(plan.folder, index)[1] for index in computed]
        lost = sum(not os.path.exists(name) for name in evenly_spaced(names, _LOOKED_FOR))
    if lost:
        raise not_shared(
            f"Workers wrote the features of {len(computed)} shards to {plan.folder}, but"
            f" {lost} are not there"
        )
