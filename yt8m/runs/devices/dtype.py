"""The type in which a new run computes where its user names none, from what was measured.

docs/training.md has the rule; benchmarks/RESULTS.md the speed of bfloat16 on a CPU, and the GAP
that it costs; docs/accelerators.md its speed on a GPU.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from typing import Callable, get_args

import tensorflow as tf

from yt8m.errors import UserError
from yt8m.runs.devices.machine import Machine
from yt8m.runs.devices.workers import any_worker
from yt8m.runs.settings.training import Dtype

# Sets the choice for all commands of a process tree, as for tests that must not depend on the CPU.
VARIABLE = "YT8M_DTYPE"
_TENSOR_CORES = (8, 0)  # the first compute capability whose tensor cores take bfloat16
# A product in bfloat16 was 0.9 times as fast as in float32 without oneDNN, and 1.8 times with it.
_LEAST_GAIN = 1.2
# oneDNN's limits that leave it bfloat16. With a lower one, TensorFlow 2.15 crashed in the product.
_ENOUGH = ("BF16", "FP16", "AMX", "AVX10", "ALL", "DEFAULT")


@dataclasses.dataclass(frozen=True)
class ChosenDtype:
    """A type, and why it was chosen.

    Attributes:
      dtype: "float32" or "bfloat16".
      because: the end of a sentence about the choice; empty where it was named, or the usual one.
    """

    dtype: Dtype
    because: str = ""

    def __str__(self) -> str:
        if not self.because:
            return self.dtype
        how = "; --dtype=float32 turns it off" if self.dtype == "bfloat16" else ""
        return f"{self.dtype} (because {self.because}{how})"


def choose_dtype(
    kind: str, machine: Machine, is_faster: Callable[[], bool] | None = None
) -> ChosenDtype:
    """Return the type in which a new run computes on a device.

    Args:
      kind: "CPU", "GPU" or "TPU".
      machine: what the machine shows.
      is_faster: whether this TensorFlow multiplies faster in bfloat16 on the CPU; by default, a
        product is timed.

    Raises:
      UserError: the environment variable YT8M_DTYPE names no type.
    """
    named = machine.environment.get(VARIABLE, "")
    if named not in ("", "auto", *get_args(Dtype)):
        raise UserError(
            f"the environment variable {VARIABLE} is {named!r}; set it to auto, float32 or"
            " bfloat16, or unset it."
        )
    for dtype in get_args(Dtype):
        if named == dtype:
            return ChosenDtype(dtype)
    if kind == "CPU":
        return _on_cpu(machine, is_faster or multiplies_faster_in_bfloat16)
    able = [capability >= _TENSOR_CORES for capability in machine.gpu_capabilities]
    if kind == "GPU" and able and all(able):
        return ChosenDtype("bfloat16", "the GPU has tensor cores for it")
    # No run on a TPU has been made; its products take bfloat16 in either type.
    return ChosenDtype("float32")


def dtype_of_all(strategy: tf.distribute.Strategy, chosen: ChosenDtype) -> ChosenDtype:
    """Return what all workers compute in: float32 if any of them chose it.

    Every worker must call this at the same time.
    """
    if any_worker(strategy)(chosen.dtype == "float32") and chosen.dtype != "float32":
        return ChosenDtype("float32", "another worker is not faster in bfloat16")
    return chosen


def dtype_to_predict(trained: Dtype, kind: str, machine: Machine) -> ChosenDtype:
    """Return the type in which a trained model is evaluated and predicts.

    It is the run's own, but float32 on a CPU without instructions for bfloat16: a batched product
    took 20 times as long in bfloat16 there. The weights are float32 in either case.

    Args:
      trained: the run's type.
      kind: "CPU", "GPU" or "TPU".
      machine: what the machine shows.
    """
    if trained == "bfloat16" and kind == "CPU" and not _instructions(machine):
        return ChosenDtype("float32", "the run's bfloat16 is slow on this CPU")
    return ChosenDtype(trained)


def _instructions(machine: Machine) -> list[str]:
    """Return the names of the CPU's instructions for products in bfloat16."""
    names = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512 with bfloat16"}
    return [name for flag, name in names.items() if flag in machine.cpu_flags]


def _on_cpu(machine: Machine, is_faster: Callable[[], bool]) -> ChosenDtype:
    has = _instructions(machine)
    if not has:
        return ChosenDtype("float32")
    limits = [machine.environment.get(f"{name}_MAX_CPU_ISA", "") for name in ("ONEDNN", "DNNL")]
    limited = any(limit and not any(e in limit.upper() for e in _ENOUGH) for limit in limits)
    if limited or not is_faster():
        return ChosenDtype(
            "float32", f"the CPU has {has[0]}, but this TensorFlow is not faster with it"
        )
    return ChosenDtype("bfloat16", f"the CPU has {has[0]}")


@functools.cache
def multiplies_faster_in_bfloat16() -> bool:
    """Return whether a matrix product on the CPU is clearly faster in bfloat16; takes 0.1 s.

    The instructions alone do not tell: TensorFlow uses them through oneDNN only, which
    `TF_ENABLE_ONEDNN_OPTS=0` turns off and which not every build of TensorFlow has.
    """
    with tf.device("/cpu:0"):
        factors = {
            dtype: (tf.ones([512, 1024], dtype), tf.ones([1024, 2048], dtype))
            for dtype in (tf.float32, tf.bfloat16)
        }
        seconds: dict[tf.DType, list[float]] = {dtype: [] for dtype in factors}
        for _ in range(6):  # in turn, and the fastest counts: other programs only slow them down
            for dtype, (a, b) in factors.items():
                start = time.perf_counter()
                tf.matmul(a, b).numpy()
                seconds[dtype].append(time.perf_counter() - start)
    return min(seconds[tf.float32]) > _LEAST_GAIN * min(seconds[tf.bfloat16])
