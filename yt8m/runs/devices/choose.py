"""The strategy that a machine and the user's wish lead to, and warnings about unused devices."""

from __future__ import annotations

import dataclasses

from yt8m.errors import UserError
from yt8m.runs.devices.machine import Machine, remote_tpu, tpu_hosts, tpu_of, unlisted_gpu
from yt8m.runs.settings.training import Strategy

HERE = "run it on the TPU's own machine (a TPU VM, Colab, Kaggle)"


@dataclasses.dataclass(frozen=True)
class Choice:
    """A strategy, never "auto", and what the user should know about devices that it leaves idle."""

    strategy: Strategy
    warnings: tuple[str, ...] = ()


def choose(asked: Strategy, machine: Machine, workers: int = 1, num_gpu: int = 0) -> Choice:
    """Return the strategy for a machine.

    Args:
      asked: the strategy that the user named, or "auto".
      machine: what it shows of its accelerators.
      workers: the number of workers in TF_CONFIG's cluster.
      num_gpu: the maximum number of GPUs to use; 0 is all.

    Raises:
      UserError: a TPU is asked for, but it is in another machine, or in several.
    """
    if asked == "tpu":
        _check_tpu(machine)
    chosen = _automatic(machine, workers, num_gpu) if asked == "auto" else asked
    return Choice(chosen, (*_about_tpu(chosen, machine), *_about_gpus(chosen, machine, num_gpu)))


def _automatic(machine: Machine, workers: int, num_gpu: int) -> Strategy:
    if workers > 1:
        return "multi_worker"
    if tpu_of(machine) and machine.can_use_tpu and tpu_hosts(machine) == 1:
        return "tpu"
    return "mirrored" if len(machine.gpus[: num_gpu or None]) > 1 else "one"


def _check_tpu(machine: Machine) -> None:
    elsewhere, hosts = remote_tpu(machine), tpu_hosts(machine)
    if elsewhere:
        raise UserError(
            f"--strategy=tpu: {elsewhere} names a TPU of another machine, but this program reads"
            f" the records and must be where the TPU is; {HERE}. If the TPU is in this machine,"
            " set TPU_NAME=local."
        )
    if hosts > 1:
        raise UserError(
            f"--strategy=tpu: this machine is one of {hosts} (TPU_WORKER_HOSTNAMES) that share a"
            " TPU, but this program uses the TPU of one machine; take a TPU of at most 8 chips."
        )


def _about_tpu(chosen: Strategy, machine: Machine) -> list[str]:
    tpu, elsewhere = tpu_of(machine), remote_tpu(machine)
    if elsewhere:
        return [f"{elsewhere} names a TPU of another machine, which cannot be used; {HERE}"]
    if tpu is None or chosen in ("tpu", "multi_worker"):
        return []
    present = f"a TPU is present ({tpu.evidence}), but"
    if not machine.can_use_tpu:
        return [f"{present} this TensorFlow cannot use it: pip install tensorflow-tpu"]
    if tpu_hosts(machine) > 1:
        return [f"{present} {tpu_hosts(machine)} machines share it, and this program uses one"]
    return [f"{present} it is unused: --strategy=tpu uses it"]


def _about_gpus(chosen: Strategy, machine: Machine, num_gpu: int) -> list[str]:
    file, gpus = unlisted_gpu(machine), len(machine.gpus)
    if file:
        hidden = machine.environment.get("CUDA_VISIBLE_DEVICES")
        if hidden is not None and hidden.strip() in ("", "-1"):
            return [f"a GPU is present ({file}), but CUDA_VISIBLE_DEVICES={hidden} hides it"]
        how = "pip install '.[gpu]'"
        return [f"a GPU is present ({file}), but this TensorFlow cannot use it: {how}"]
    if chosen == "one" and gpus > 1 and num_gpu != 1:
        return [f"{gpus - 1} of {gpus} GPUs are unused: --strategy=mirrored uses all"]
    if chosen == "tpu" and gpus:
        return [f"{gpus} GPUs are unused: --strategy=mirrored uses them"]
    return []
