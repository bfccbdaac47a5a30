"""The map of step 2: each task trains the mixtures of one partition of the classes, up to the end of an epoch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Callable

import numpy as np

from yt8m.largescale.executors import Shared, warm
from yt8m.largescale.features.store import PLAN, FeatureStore
from yt8m.largescale.mixtures.blocks_file import read_header
from yt8m.largescale.mixtures.partition_training import MoeSettings, train_partition
from yt8m.largescale.tasks.shared_folder import check_plan, not_shared


@dataclasses.dataclass(frozen=True)
class PartTask:
    """A partition and how far to train it.

    Attributes:
      classes, num_mixtures: labels, and experts of each.
      path: of its weights; a checkpoint beside it holds the state between epochs.
      until: steps in all after which to stop.
    """

    classes: tuple[int, ...]
    num_mixtures: tuple[int, ...]
    path: str
    until: int


@dataclasses.dataclass(frozen=True)
class PartJob:
    """What all partitions share.

    Attributes:
      features: folder of the store.
      settings: of the training.
      priors: label frequencies [K].
      stop: asked before each step, where the tasks run in the trainer's process.
    """

    features: str
    settings: MoeSettings
    priors: np.ndarray
    stop: Callable[[], bool] | None = None


def steps_done(path: str) -> int:
    """Return how many steps a partition has been trained for."""
    finished = read_header(path)
    if finished is not None:
        return int(finished["steps"])
    checkpoint = read_header(path + ".checkpoint")
    return int(checkpoint["step"]) if checkpoint is not None else 0


def check_trained(tasks: Sequence[PartTask]) -> None:
    """See that what tasks trained is where this process looks for it.

    Raises:
      UserError: it is not, or is of an earlier epoch.
    """
    late = [t.path for t in tasks if steps_done(t.path) < t.until]
    if late:
        raise not_shared(
            f"Workers trained {len(tasks)} partitions, and the weights of {len(late)} ({late[0]}, …) are not there or are older"
        )


def train_part(task: PartTask, shared: Shared) -> Any:
    """Train one partition up to `task.until` steps, and leave its state on disk; one that is there already is left alone.

    Raises:
      UserError: the features are not where the task says; see also `train_partition`.
    """
    job: PartJob = shared["job"].value
    check_plan(job.features, PLAN)
    if steps_done(task.path) >= task.until:
        return None
    store = warm(shared["job"].key, lambda: FeatureStore(job.features))
    stop = job.stop or (lambda: False)
    return train_partition(
        store,
        task.classes,
        task.num_mixtures,
        job.settings,
        task.path,
        job.priors,
        stop,
        until=task.until,
    )
