"""The part of a process among several workers: its number, and whether it writes the files."""

from __future__ import annotations

import json
import os
from typing import Any, Callable

import tensorflow as tf

from yt8m.errors import UserError

MULTI_WORKER = tf.distribute.MultiWorkerMirroredStrategy


def refuse_workers(trainer: str, strategy: str) -> None:
    """Refuse several workers for a trainer that distributes its work by other means.

    It is called before TensorFlow's devices are opened: a worker that opens them waits for all of
    the others, and they may never come.

    Args:
      trainer: value of --trainer.
      strategy: value of --strategy.

    Raises:
      UserError: the workers would not share the work.
    """
    asked = strategy == "multi_worker" or (strategy == "auto" and len(cluster_workers()) > 1)
    if trainer != "joint" and asked:
        instead, later = "", ""
        if trainer != "partitioned":
            instead = ", but by --executor"
            later = "; --step1_from takes a joint training of several workers"
        raise UserError(
            f"--trainer={trainer} does not distribute its work by --strategy=multi_worker{instead};"
            " unset TF_CONFIG, which names several workers, or set --strategy=one"
            f"{later}."
        )


def cluster_workers() -> list[str]:
    """Return the addresses of the workers in TF_CONFIG, if there are any.

    Raises:
      UserError: TF_CONFIG is not JSON, or does not describe a cluster.
    """
    try:
        values = json.loads(os.environ.get("TF_CONFIG") or "{}")
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"the environment variable TF_CONFIG is not JSON ({error}); correct it or unset it."
        ) from None
    cluster = values.get("cluster", {}) if isinstance(values, dict) else None
    if not isinstance(cluster, dict):
        raise _no_cluster("it has no object `cluster`")
    jobs = {job: cluster.get(job, []) for job in ("chief", "worker")}
    for job, addresses in jobs.items():
        if not isinstance(addresses, list) or not all(isinstance(a, str) for a in addresses):
            raise _no_cluster(f"`cluster.{job}` is not a list of addresses")
    if cluster:
        _check_task(values.get("task", {}), cluster)
    return [*jobs["chief"], *jobs["worker"]]


def _check_task(task: Any, cluster: dict[str, Any]) -> None:
    if task == {}:
        return  # TensorFlow takes this process for the first one.
    kind, index = (task.get("type"), task.get("index")) if isinstance(task, dict) else (None, None)
    known = cluster.get(kind) if isinstance(kind, str) else None
    number = str(index)
    if not isinstance(known, list) or not (number.isdecimal() and int(number) < len(known)):
        raise _no_cluster(f"`task` is {task!r}, which is no member of `cluster`")


def _no_cluster(problem: str) -> UserError:
    return UserError(
        f"the environment variable TF_CONFIG does not describe a cluster: {problem}; correct it or"
        " unset it."
    )


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Return whether this process writes the run's files, as only the first worker does."""
    resolver = strategy.cluster_resolver
    if not isinstance(strategy, MULTI_WORKER) or resolver is None:
        return True
    if resolver.task_type in (None, "chief"):
        return True
    has_chief = "chief" in resolver.cluster_spec().jobs
    return resolver.task_type == "worker" and resolver.task_id == 0 and not has_chief


def worker_of(strategy: tf.distribute.Strategy) -> tuple[int, int]:
    """Return the index of this worker, and the number of workers."""
    if not isinstance(strategy, MULTI_WORKER):
        return 0, 1
    resolver = strategy.cluster_resolver
    chiefs = 1 if "chief" in resolver.cluster_spec().jobs else 0
    index = 0 if resolver.task_type == "chief" else resolver.task_id + chiefs
    return index, len(cluster_workers())


def any_worker(strategy: tf.distribute.Strategy) -> Callable[[bool], bool]:
    """Return a function that takes this worker's flag and returns whether any worker's is set.

    The function waits until every worker has called it; a single worker is not kept waiting.
    """
    if worker_of(strategy)[1] == 1:
        return bool

    def on_replica(flag: tf.Tensor) -> tf.Tensor:
        here = tf.identity(flag)  # on the replica's device, which an argument is not
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, here)

    @tf.function
    def total(flag: tf.Tensor) -> Any:
        return strategy.run(on_replica, args=(flag,))

    def is_any_set(flag: bool) -> bool:
        totals = strategy.experimental_local_results(total(tf.constant(float(flag))))
        return float(totals[0]) > 0

    return is_any_set
