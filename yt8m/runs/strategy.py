"""The devices that a run uses: one device, mirrored GPUs, several workers, or a TPU."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any, Callable

import tensorflow as tf

from yt8m.errors import UserError
from yt8m.runs.settings.training import Strategy

_MULTI_WORKER = tf.distribute.MultiWorkerMirroredStrategy


def make_strategy(
    name: Strategy, num_gpu: int = 0, paths: Iterable[str] = (), workers: bool = True
) -> tf.distribute.Strategy:
    """Return the strategy called `name`.

    Args:
      name: "one", "mirrored", "multi_worker" (the cluster in TF_CONFIG), "tpu" (this machine's, or
        the one that TPU_NAME names; untested on a TPU), or "auto": several workers where TF_CONFIG
        names them, a TPU where TPU_NAME is set, mirrored where there are several GPUs, else one
        device.
      num_gpu: the maximum number of GPUs to use; 0 is all.
      paths: every path that the run reads or writes; a TPU's host must be able to reach them.
      workers: False for what one process does by itself. If TF_CONFIG is left from a training,
        "auto" would otherwise wait for other workers that do not exist.

    Raises:
      UserError: the requested hardware is not available.
    """
    if name == "auto" and workers and len(_cluster_workers()) > 1:
        name = "multi_worker"
    if name == "auto" and os.environ.get("TPU_NAME"):
        name = "tpu"
    # Before the devices are listed, which would start TensorFlow without the other workers.
    if name == "multi_worker":
        if num_gpu:
            raise UserError(
                f"--num_gpu={num_gpu}: each of several workers uses every GPU that it sees; set"
                " CUDA_VISIBLE_DEVICES for each worker instead."
            )
        return _multi_worker_strategy()
    if name == "tpu":
        return _tpu_strategy(paths)
    gpus = tf.config.list_logical_devices("GPU")[: num_gpu or None]
    if name == "auto":
        name = "mirrored" if len(gpus) > 1 else "one"
    if name == "one":
        return tf.distribute.OneDeviceStrategy(gpus[0].name if gpus else "/cpu:0")
    if name == "mirrored":
        devices = [d.name for d in gpus or tf.config.list_logical_devices("CPU")]
        return tf.distribute.MirroredStrategy(devices)
    raise UserError(
        f"--strategy={name} is not known; choose auto, one, mirrored, multi_worker or tpu."
    )


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Return whether this process writes the run's files, as only the first worker does."""
    resolver = strategy.cluster_resolver
    if not isinstance(strategy, _MULTI_WORKER) or resolver is None:
        return True
    if resolver.task_type in (None, "chief"):
        return True
    has_chief = "chief" in resolver.cluster_spec().jobs
    return resolver.task_type == "worker" and resolver.task_id == 0 and not has_chief


def worker_of(strategy: tf.distribute.Strategy) -> tuple[int, int]:
    """Return the index of this worker, and the number of workers."""
    if not isinstance(strategy, _MULTI_WORKER):
        return 0, 1
    resolver = strategy.cluster_resolver
    chiefs = 1 if "chief" in resolver.cluster_spec().jobs else 0
    index = 0 if resolver.task_type == "chief" else resolver.task_id + chiefs
    return index, len(_cluster_workers())


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


def _cluster_workers() -> list[str]:
    try:
        cluster = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {})
    except ValueError as error:
        raise UserError(
            f"the environment variable TF_CONFIG is not JSON ({error}); correct it or unset it."
        ) from None
    return [*cluster.get("chief", []), *cluster.get("worker", [])]


def _multi_worker_strategy() -> tf.distribute.Strategy:
    if not _cluster_workers():
        raise UserError(
            "--strategy=multi_worker needs the environment variable TF_CONFIG with the cluster's"
            " workers and this process's task, e.g."
            ' {"cluster": {"worker": ["host1:2222", "host2:2222"]},'
            ' "task": {"type": "worker", "index": 0}}.'
        )
    return _MULTI_WORKER()


def _tpu_strategy(paths: Iterable[str]) -> tf.distribute.Strategy:
    # Without a name TensorFlow would ask Google Cloud for one. That fails on Colab and Kaggle,
    # whose TPU is in the machine itself.
    address = os.environ.get("TPU_NAME") or "local"
    local = [p for p in paths if p and "://" not in p]
    if address != "local" and local:
        raise UserError(
            f"--strategy=tpu: the host of TPU_NAME={address} cannot read the local path {local[0]};"
            " copy the data to gs:// and name that path, also for --train_dir, or set"
            " TPU_NAME=local if the TPU is in this machine (Colab, Kaggle, a TPU VM)."
        )
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=address)
        if address != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    # OSError comes from the network, and ImportError from the package that looks names up.
    except (ValueError, RuntimeError, KeyError, OSError, ImportError, tf.errors.OpError) as error:
        first_line = (str(error).splitlines() or ["no reason given"])[0]
        where = "in this machine" if address == "local" else f"called {address}"
        raise UserError(
            f"--strategy=tpu found no TPU {where} ({first_line}); set TPU_NAME to another TPU's"
            " name, or choose another --strategy."
        ) from None
    return tf.distribute.TPUStrategy(resolver)
