"""What a machine shows of its accelerators, before any of them is started.

A TensorFlow without CUDA or without TPU support lists no accelerator, wherever it runs. So this
module also looks at what the machine itself has: environment variables, device files and the PCI
bus. Everything is read once into a `Machine`, and the rest are functions of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import importlib.metadata
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Callable

import tensorflow as tf

from yt8m.runs.devices.cpu import cpu_flags, cpu_quota, schedulable_cpus

# The chips by their PCI device number, as in JAX's `hardware_utils`; v2 and v3 share one.
_GOOGLE = "0x1ae0"
_CHIPS = {
    "0x0027": "v2 or v3", "0x005e": "v4", "0x0062": "v5p", "0x0063": "v5e", "0x006f": "v6e",
    "0x0076": "7x",
}  # fmt: skip
# Set on the machines that have a TPU: by Colab, Kaggle, Cloud TPU VMs and GKE.
_VARIABLES = (
    "TPU_ACCELERATOR_TYPE", "TPU_WORKER_ID", "TPU_WORKER_HOSTNAMES", "TPU_PROCESS_ADDRESSES",
    "TPU_CHIPS_PER_HOST_BOUNDS", "TPU_HOST_BOUNDS", "CLOUD_TPU_TASK_ID", "COLAB_TPU_1VM",
)  # fmt: skip
_NVIDIA_FILES = ("/dev/nvidia[0-9]*", "/proc/driver/nvidia/version", "/dev/dxg")


@dataclasses.dataclass(frozen=True)
class Machine:
    """What a machine shows.

    Attributes:
      environment: the environment variables.
      list_files: from a glob pattern to the paths that match it.
      gpus: the names of the GPUs that TensorFlow lists.
      gpu_capabilities: their compute capabilities, (0, 0) where one is unknown.
      tpu_cores: the number of TPU cores that TensorFlow lists.
      tensorflow_tpu: whether the package tensorflow-tpu is installed.
      pci: (vendor, device) of each device on the PCI bus, as "0x1ae0".
      cpu_flags: the instruction sets of the CPU, as "avx512_bf16".
      cpus: the cores on which this process may run.
      cpu_quota: the cores whose time a container may use; 0 is no limit.
    """

    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    list_files: Callable[[str], list[str]] = lambda pattern: []
    gpus: Sequence[str] = ()
    gpu_capabilities: Sequence[tuple[int, int]] = ()
    tpu_cores: int = 0
    tensorflow_tpu: bool = False
    pci: Sequence[tuple[str, str]] = ()
    cpu_flags: frozenset[str] = frozenset()
    cpus: int = 1
    cpu_quota: int = 0

    @property
    def can_use_tpu(self) -> bool:
        """Whether this TensorFlow computes on TPUs."""
        # Some versions list the cores only after they are initialized.
        return self.tpu_cores > 0 or self.tensorflow_tpu


@dataclasses.dataclass(frozen=True)
class Tpu:
    """A TPU in this machine.

    Attributes:
      kind: its type, as "v5litepod-8" or "v5e"; empty if unknown.
      evidence: what shows that it is there, for messages.
    """

    kind: str
    evidence: str


def this_machine() -> Machine:
    """Return what this machine shows; no device is started."""
    try:
        importlib.metadata.version("tensorflow-tpu")
        tensorflow_tpu = True
    except importlib.metadata.PackageNotFoundError:
        tensorflow_tpu = False
    gpus = [_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    return Machine(
        environment=dict(os.environ),
        list_files=glob.glob,
        gpus=[gpu.get("device_name", "unknown model") for gpu in gpus],
        gpu_capabilities=[gpu.get("compute_capability", (0, 0)) for gpu in gpus],
        tpu_cores=len(tf.config.list_physical_devices("TPU")),
        tensorflow_tpu=tensorflow_tpu,
        pci=_pci_devices(),
        cpu_flags=cpu_flags(),
        cpus=schedulable_cpus(),
        cpu_quota=cpu_quota(),
    )


def _details(gpu: tf.config.PhysicalDevice) -> dict[str, Any]:
    details: dict[str, Any] = tf.config.experimental.get_device_details(gpu)
    return details


def _pci_devices() -> list[tuple[str, str]]:
    found = []
    for folder in sorted(pathlib.Path("/sys/bus/pci/devices").glob("*")):
        # A file may be forbidden, or its device has just gone.
        with contextlib.suppress(OSError):
            vendor, device = ((folder / part).read_text().strip() for part in ("vendor", "device"))
            found.append((vendor, device))
    return found


def tpu_of(machine: Machine) -> Tpu | None:
    """Return the TPU in a machine, or None if nothing shows one."""
    given = {name: _given(machine, name) for name in _VARIABLES}
    chips = [_CHIPS[d] for vendor, d in machine.pci if vendor == _GOOGLE and d in _CHIPS]
    kind = given["TPU_ACCELERATOR_TYPE"] or (chips[0] if chips else "")
    evidence = _evidence(machine, given, len(chips))
    return Tpu(kind, evidence) if evidence else None


def _given(machine: Machine, name: str) -> str:
    """Return the value of a variable, or an empty string if it has none.

    Google's virtual machines without a TPU set some variables to an empty string. Where a look-up
    fails, Kaggle and the TPU's library put a sentence into a variable.
    """
    value = machine.environment.get(name, "")
    return "" if " " in value.strip() else value


def _evidence(machine: Machine, given: Mapping[str, str], chips: int) -> str:
    """Return what shows a TPU, the surest first, or an empty string."""
    if machine.tpu_cores:
        return f"TensorFlow lists {machine.tpu_cores} TPU cores"
    if chips:
        return f"{chips} TPU chips on the PCI bus"
    for name, value in given.items():
        if value and (name, value) != ("COLAB_TPU_1VM", "0"):
            return f"{name}={value}"
    if machine.environment.get("PJRT_DEVICE", "").upper() == "TPU":
        return "PJRT_DEVICE=TPU"
    if machine.environment.get("TPU_NAME") == "local":
        return "TPU_NAME=local"
    # /dev/vfio/N is no evidence: any device that is passed through to a guest has one.
    files = machine.list_files("/dev/accel[0-9]*")
    return files[0] if files else ""


def remote_tpu(machine: Machine) -> str:
    """Return the setting that names a TPU of another machine, or an empty string."""
    for name in ("TPU_NAME", "COLAB_TPU_ADDR"):
        value = machine.environment.get(name, "")
        if value and value != "local" and tpu_of(machine) is None:
            return f"{name}={value}"
    return ""


def tpu_hosts(machine: Machine) -> int:
    """Return the number of machines that share this machine's TPU, 1 if it is the only one."""
    names = _given(machine, "TPU_WORKER_HOSTNAMES").split(",")
    return len(names) if all(names) else 1


def unlisted_gpu(machine: Machine) -> str:
    """Return the file that shows an NVIDIA GPU where TensorFlow lists none, or an empty string."""
    if machine.gpus:
        return ""
    found = [path for pattern in _NVIDIA_FILES for path in machine.list_files(pattern)]
    return found[0] if found else ""
