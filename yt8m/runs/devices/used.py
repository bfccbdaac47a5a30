"""What a strategy computes on: for the first line of a command, and for the record of its run."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import tensorflow as tf

from yt8m.runs.devices.dtype import ChosenDtype
from yt8m.runs.devices.machine import this_machine, tpu_of
from yt8m.runs.devices.threads import threads_in_use, threads_of
from yt8m.runs.devices.workers import worker_of

# Between two calls of the training step the device waits for the host: Python, the dispatch of the
# program, and the read of the step counter. That was 1 ms on a CPU, and a device's launch and copy
# come on top. MoeModel's step moves 2.8 GB, at least 3.4 ms on a TPU v5e: with one step in a call
# the wait would be a quarter of the time, with 16 about 2 %. More would help little, and a signal
# waits for the end of the call. A CPU computes on the host, so that nothing waits.
_STEPS_PER_CALL = {"CPU": 1, "GPU": 16, "TPU": 16}


@dataclasses.dataclass(frozen=True)
class UsedDevices:
    """What a strategy computes on.

    Attributes:
      kind: "CPU", "GPU" or "TPU".
      name: the model of the GPU, or the type of the TPU; empty if unknown.
      count: devices of this process; of a TPU, its cores.
      replicas: over all workers.
      workers: processes that train together.
      threads: those that compute one operation on the CPU; 0 if unknown.
      quota: whether a container's quota limits them.
    """

    kind: str
    name: str
    count: int
    replicas: int
    workers: int
    threads: int = 0
    quota: bool = False

    @classmethod
    def of(cls, strategy: tf.distribute.Strategy) -> UsedDevices:
        """Return the devices of a strategy."""
        paths = strategy.extended.worker_devices
        device = tf.DeviceSpec.from_string(paths[0])
        machine, kind, name = this_machine(), device.device_type, ""
        if kind == "GPU":
            index = device.device_index or 0
            name = machine.gpus[index] if index < len(machine.gpus) else ""
        elif kind == "TPU":
            tpu = tpu_of(machine)
            name = tpu.kind if tpu else ""
        replicas = strategy.num_replicas_in_sync
        threads, limit = threads_in_use(machine), threads_of(machine)
        workers = worker_of(strategy)[1]
        return cls(kind, name, len(paths), replicas, workers, threads, 0 < limit == threads)

    def steps_per_call(self, asked: int) -> int:
        """Return the training steps of one call of the compiled loop; 0 asks for a choice."""
        return asked or _STEPS_PER_CALL[self.kind]

    def __str__(self) -> str:
        names = {"CPU": "the CPU", "GPU": "1 GPU", "TPU": "a TPU core"}
        many = {"CPU": "CPU devices", "GPU": "GPUs", "TPU": "TPU cores"}
        text = names[self.kind] if self.count == 1 else f"{self.count} {many[self.kind]}"
        text += f" ({self.name})" if self.name else ""
        text += f" ({_counted(self.threads, 'thread')}, by the container's quota)" * self.quota
        return text if self.workers == 1 else f"{text} in each of {self.workers} workers"

    def line(self, dtype: ChosenDtype | str, steps: int | None = None) -> str:
        """Return the line that a command prints first.

        Args:
          dtype: what is computed in, with the reason if it was chosen for the user.
          steps: training steps per call; None where nothing is trained.
        """
        parts = [_counted(self.replicas, "replica"), str(dtype)]
        parts += [] if steps is None else [f"{_counted(steps, 'step')} per call"]
        return f"computing on {self}: {', '.join(parts)}"

    def facts(self) -> dict[str, Any]:
        """Return what a run records."""
        return dataclasses.asdict(self)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def announce(devices: UsedDevices, dtype: ChosenDtype, steps_per_call: int | None = None) -> None:
    """Print what is computed on, and suggest bfloat16 where it is what the device is built for.

    Args:
      devices: what is computed on.
      dtype: the data type of the computation, and why it was chosen.
      steps_per_call: the setting; None where nothing is trained in calls of several steps.
    """
    steps = None if steps_per_call is None else devices.steps_per_call(steps_per_call)
    print(devices.line(dtype, steps), flush=True)
    if devices.kind == "TPU" and dtype.dtype == "float32":
        print(
            "hint: a TPU multiplies in bfloat16; --dtype=bfloat16 also keeps the activations in it,"
            " which takes half the memory (the weights stay float32)",
            file=sys.stderr,
            flush=True,
        )
