"""The `tf.distribute` strategy of a run: one device, mirrored GPUs, several workers, or a TPU."""

from __future__ import annotations

import functools
import sys

import tensorflow as tf

from yt8m.errors import UserError
from yt8m.runs.devices.choose import choose
from yt8m.runs.devices.machine import Machine, this_machine, tpu_of
from yt8m.runs.devices.threads import limit_threads
from yt8m.runs.devices.workers import MULTI_WORKER, cluster_workers
from yt8m.runs.settings.training import Strategy


def make_strategy(name: Strategy, num_gpu: int = 0, workers: bool = True) -> tf.distribute.Strategy:
    """Return the strategy called `name`, and warn of accelerators that it leaves unused.

    The first call also limits TensorFlow's threads to a container's share of the CPU.

    Args:
      name: "one", "mirrored", "multi_worker" (the cluster in TF_CONFIG), "tpu" (the one in this
        machine; untested on a TPU), or "auto": several workers where TF_CONFIG names them, a TPU
        where there is one, mirrored where there are several GPUs, else one device.
      num_gpu: the maximum number of GPUs to use; 0 is all.
      workers: False for what one process does by itself. If TF_CONFIG is left from a training,
        "auto" would otherwise wait for other workers that do not exist.

    Raises:
      UserError: the requested hardware is not available.
    """
    # Only physical devices are listed here: the logical ones would start TensorFlow without the
    # other workers.
    machine = this_machine()
    limit_threads(machine)
    count = len(cluster_workers()) if workers and name == "auto" else 1
    choice = choose(name, machine, count, num_gpu)
    for line in choice.warnings:
        _warn_once(line)
    if choice.strategy == "multi_worker":
        return _multi_worker_strategy(num_gpu)
    if choice.strategy == "tpu":
        return tf.distribute.TPUStrategy(_initialized_tpu(machine))
    gpus = tf.config.list_logical_devices("GPU")[: num_gpu or None]
    if choice.strategy == "one":
        return tf.distribute.OneDeviceStrategy(gpus[0].name if gpus else "/cpu:0")
    if choice.strategy == "mirrored":
        devices = [d.name for d in gpus or tf.config.list_logical_devices("CPU")]
        return tf.distribute.MirroredStrategy(devices)
    raise UserError(
        f"--strategy={name} is not known; choose auto, one, mirrored, multi_worker or tpu."
    )


@functools.cache  # eval.py --watch makes the strategy again for each model
def _warn_once(line: str) -> None:
    print(f"warning: {line}", file=sys.stderr, flush=True)


def _multi_worker_strategy(num_gpu: int) -> tf.distribute.Strategy:
    if num_gpu:
        raise UserError(
            f"--num_gpu={num_gpu}: each of several workers uses every GPU that it sees; set"
            " CUDA_VISIBLE_DEVICES for each worker instead."
        )
    if not cluster_workers():
        raise UserError(
            "--strategy=multi_worker needs the environment variable TF_CONFIG with the cluster's"
            " workers and this process's task, e.g."
            ' {"cluster": {"worker": ["host1:2222", "host2:2222"]},'
            ' "task": {"type": "worker", "index": 0}}.'
        )
    return MULTI_WORKER()


_tpus: list[tf.distribute.cluster_resolver.TPUClusterResolver] = []


def _initialized_tpu(machine: Machine) -> tf.distribute.cluster_resolver.TPUClusterResolver:
    """Return this machine's TPU, initialized once: a second time would lose every variable on it.

    A program that trains, and then loads what it has trained, makes two strategies.
    """
    if not _tpus:
        try:
            # Without a name TensorFlow would ask Google Cloud for one.
            resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="local")
            tf.tpu.experimental.initialize_tpu_system(resolver)
        except (ValueError, RuntimeError, KeyError, OSError, ImportError, tf.errors.OpError) as e:
            raise UserError(_why_no_tpu(machine, e)) from None
        _tpus.append(resolver)
    return _tpus[0]


def _why_no_tpu(machine: Machine, error: Exception) -> str:
    first_line = (str(error).splitlines() or ["no reason given"])[0]
    tpu, otherwise = tpu_of(machine), "choose another --strategy, such as one."
    if tpu is None:
        return f"--strategy=tpu found no TPU in this machine ({first_line}); {otherwise}"
    if not machine.can_use_tpu:
        return (
            f"--strategy=tpu: a TPU is present ({tpu.evidence}), but this TensorFlow cannot use it"
            f" ({first_line}): pip install tensorflow-tpu, or {otherwise}"
        )
    return (
        f"--strategy=tpu: the TPU ({tpu.evidence}) does not start ({first_line}). Only one process"
        f" at a time can use it; end the others, or {otherwise}"
    )
