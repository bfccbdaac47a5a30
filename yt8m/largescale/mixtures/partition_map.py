"""The map of step 2: each task trains the mixtures of one partition up to the end of an epoch."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

import numpy as np

from yt8m.largescale.executors import Executor, Shared, forget, warm
from yt8m.largescale.features.open_store import StoredFeatures
from yt8m.largescale.features.store import FeatureStore
from yt8m.largescale.mixtures.blocks_file import read_header
from yt8m.largescale.mixtures.moe_settings import MoeSettings
from yt8m.largescale.mixtures.partition_training import CHECKPOINT, train_partition
from yt8m.largescale.mixtures.reduce_partitions import fill_head
from yt8m.largescale.tasks.shared_folder import not_shared
from yt8m.layers.heads.grouped_mixture_of_experts import GroupedMixtureOfExperts
from yt8m.runs.stop_signal import StopSignal


@dataclasses.dataclass(frozen=True)
class PartitionTask:
    """A partition and how far to train it.

    Attributes:
      classes: its labels.
      num_mixtures: the number of experts of each.
      path: the file for its weights; a checkpoint beside it keeps the state between epochs.
      until: the number of steps after which to stop, counted from the start of the training.
    """

    classes: tuple[int, ...]
    num_mixtures: tuple[int, ...]
    path: str
    until: int


@dataclasses.dataclass(frozen=True)
class PartitionJob:
    """Everything that all partitions share.

    Attributes:
      features: the feature store.
      settings: how partitions are trained.
      priors: the label frequencies [K].
      stop: checked before each step; None if the tasks run in other processes than the trainer.
      share: whether processes of a node share the windows that one of them has read. Alone, one
        would only take a little longer to read.
    """

    features: StoredFeatures
    settings: MoeSettings
    priors: np.ndarray
    stop: StopSignal | None = None
    share: bool = True


def steps_done(path: str) -> int:
    """Return the number of steps for which a partition has been trained."""
    finished = read_header(path)
    if finished is not None:
        return int(finished["steps"])
    checkpoint = read_header(path + CHECKPOINT)
    return int(checkpoint["step"]) if checkpoint is not None else 0


def check_trained(tasks: Sequence[PartitionTask]) -> None:
    """Raise an error if this process does not see the weights that tasks have trained.

    Raises:
      UserError: weights are missing, or are from an earlier epoch.
    """
    late = [t.path for t in tasks if steps_done(t.path) < t.until]
    if late:
        raise not_shared(
            f"Workers trained {len(tasks)} partitions, but the weights of {len(late)} ({late[0]},"
            " …) are missing or older"
        )


def train_partition_until(task: PartitionTask, shared: Shared) -> None:
    """Train one partition up to `task.until` steps and leave its state on disk.

    A partition that has already reached that step is left unchanged.

    Args:
      task: the partition.
      shared: "job" (`PartitionJob`).

    Raises:
      Stopped: the job's `stop` was set; the state has been saved.
      UserError: the features are not in the job's folder; see also `train_partition`.
    """
    job: PartitionJob = shared["job"].value
    job.features.check()
    if steps_done(task.path) >= task.until:
        return
    key = shared["job"].key  # all processes with this job read the same windows
    store = warm(key, lambda: job.features.open(shared_by=key if job.share else ""))
    train_partition(
        store,
        task.classes,
        task.num_mixtures,
        job.settings,
        task.path,
        job.priors,
        job.stop,
        until=task.until,
    )


class PartitionMap:
    """All partitions of a large mixture, trained wherever the executor runs them.

    Args:
      executor: runs the tasks.
      partitions: the classes of each partition; empty ones are left out.
      experts: the number of experts of each class, [K].
      folder: where the partitions keep their weights; every worker must see it.
      store: the features; every worker must see their folder.
      settings: how partitions are trained.
      priors: the label frequencies [K].
      stop: checked between tasks, and before each step of a local task.
    """

    def __init__(
        self,
        executor: Executor,
        partitions: Sequence[Sequence[int]],
        experts: np.ndarray,
        folder: str,
        store: FeatureStore,
        settings: MoeSettings,
        priors: np.ndarray,
        stop: StopSignal,
    ):
        self._executor, self._store, self._stop = executor, store, stop
        self._tasks = [
            PartitionTask(
                tuple(classes),
                tuple(int(experts[c]) for c in classes),
                os.path.join(folder, f"{p:05d}"),
                until=0,
            )
            for p, classes in enumerate(partitions)
            if classes
        ]
        local_stop = stop if executor.local else None
        share = executor.workers() != 1
        job = PartitionJob(StoredFeatures.of(store), settings, priors, local_stop, share)
        self._job = executor.broadcast(job)

    def __len__(self) -> int:
        return len(self._tasks)

    def train(self, until: int) -> None:
        """Train every partition up to `until` steps.

        Raises:
          Stopped: a signal stopped the run.
          UserError: a task failed, or this process does not see what a worker trained.
        """
        tasks = [dataclasses.replace(task, until=until) for task in self._tasks]
        if self._executor.local:
            warm(self._job.key, lambda: self._store)
        for _ in self._executor.map(train_partition_until, tasks, {"job": self._job}):
            self._stop.raise_if_set()
        check_trained(tasks)

    def fill(self, head: GroupedMixtureOfExperts) -> None:
        """Assign the weights of all partitions to a built head."""
        fill_head(head, [task.path for task in self._tasks])

    def close(self) -> None:
        """Release the features that this process holds."""
        forget(self._job.key)
