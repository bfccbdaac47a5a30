"""The first line of a command, and the number of steps in a call, per device."""

import dataclasses

import pytest

from yt8m.runs.devices.dtype import ChosenDtype
from yt8m.runs.devices.strategy import make_strategy
from yt8m.runs.devices.used import UsedDevices, announce

CPU = UsedDevices("CPU", "", 1, 1, 1)
TPU = UsedDevices("TPU", "v5litepod-8", 8, 8, 1)
WORKERS = UsedDevices("GPU", "Tesla T4", 2, 4, 2)


@pytest.mark.parametrize(
    ("devices", "line"),
    [
        (CPU, "computing on the CPU: 1 replica, float32, 1 step per call"),
        (
            UsedDevices("GPU", "NVIDIA H200", 1, 1, 1),
            "computing on 1 GPU (NVIDIA H200): 1 replica, float32, 16 steps per call",
        ),
        (
            WORKERS,
            "computing on 2 GPUs (Tesla T4) in each of 2 workers: 4 replicas, float32, 16 steps"
            " per call",
        ),
        (
            TPU,
            "computing on 8 TPU cores (v5litepod-8): 8 replicas, float32, 16 steps per call",
        ),
        (
            UsedDevices("TPU", "v5e-1", 1, 1, 1),
            "computing on a TPU core (v5e-1): 1 replica, float32, 16 steps per call",
        ),
    ],
)
def test_the_line_names_what_was_chosen(devices, line, capsys):
    announce(devices, ChosenDtype("float32"), 0)
    printed = capsys.readouterr()
    assert printed.out == line + "\n"
    assert ("--dtype=bfloat16" in printed.err) == (devices.kind == "TPU")


def test_a_given_number_of_steps_is_kept():
    assert TPU.steps_per_call(3) == 3
    assert TPU.line("bfloat16", 3).endswith("8 replicas, bfloat16, 3 steps per call")
    assert CPU.line("float32") == "computing on the CPU: 1 replica, float32"


def test_threads_are_named_where_a_quota_limits_them():
    assert str(dataclasses.replace(CPU, threads=3)) == "the CPU"
    limited = dataclasses.replace(CPU, threads=3, quota=True)
    assert str(limited) == "the CPU (3 threads, by the container's quota)"
    assert limited.facts()["threads"] == 3


def test_bfloat16_is_suggested_only_where_it_is_not_used(capsys):
    announce(TPU, ChosenDtype("bfloat16"), 0)
    assert capsys.readouterr().err == ""


def test_the_devices_of_strategies():
    assert UsedDevices.of(make_strategy("one")).replicas == 1
    assert str(UsedDevices("CPU", "", 2, 2, 1)) == "2 CPU devices"
    many = UsedDevices.of(make_strategy("mirrored"))
    assert (many.replicas, many.workers) == (many.count, 1)
