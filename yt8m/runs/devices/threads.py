"""The number of threads of TensorFlow: as many as a container's share of the CPU allows.

TensorFlow starts one thread for each core that it may run on. It does not know of the quota of a
container, which then stops all of its threads at once for the rest of each period.
"""

from __future__ import annotations

import contextlib

import tensorflow as tf

from yt8m.runs.devices.machine import Machine

# A single thread for whole operations could wait for a collective that it should itself compute.
_LEAST_BETWEEN = 2
_VARIABLES = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def threads_of(machine: Machine) -> int:
    """Return the number of threads that a machine's quota allows; 0 is TensorFlow's own choice."""
    limited = 0 < machine.cpu_quota < machine.cpus
    named = any(machine.environment.get(name) for name in _VARIABLES)
    return machine.cpu_quota if limited and not named else 0


def limit_threads(machine: Machine) -> None:
    """Let TensorFlow start no more threads than a machine's quota allows.

    What the user has set, by environment variables or in Python, stays as it is, and so does a
    TensorFlow whose threads have started.
    """
    threading, number = tf.config.threading, threads_of(machine)
    if not number or threading.get_intra_op_parallelism_threads():
        return
    with contextlib.suppress(RuntimeError):
        threading.set_intra_op_parallelism_threads(number)
        threading.set_inter_op_parallelism_threads(max(_LEAST_BETWEEN, number))


def threads_in_use(machine: Machine) -> int:
    """Return the number of threads that compute one operation on the CPU."""
    named = machine.environment.get(_VARIABLES[0], "")
    set_to = tf.config.threading.get_intra_op_parallelism_threads()
    return set_to or (int(named) if named.isdigit() else 0) or machine.cpus
