"""Where the time of compiled calls goes, by operation, from TensorFlow's profiler."""

from __future__ import annotations

import glob
import os
import tempfile
from collections import defaultdict
from typing import Any, Callable

import tensorflow as tf

Operations = list[tuple[str, float]]  # (type of operation, milliseconds), the largest first


def profile(function: Callable[[], Any], calls: int) -> Operations:
    """Return the milliseconds of a call by type of operation, summed over threads."""
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        for _ in range(calls):
            result = function()
        for tensor in tf.nest.flatten(result):
            tensor.numpy()
        tf.profiler.experimental.stop()
        (path,) = glob.glob(os.path.join(folder, "plugins", "profile", "*", "*.xplane.pb"))
        with open(path, "rb") as f:
            return operations(f.read(), calls)


def operations(trace: bytes, calls: int) -> Operations:
    """Return the milliseconds of a call by type of operation.

    Args:
      trace: a serialised XSpace.
      calls: the number of calls in it.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(trace)
    spent: dict[str, float] = defaultdict(float)
    for plane in space.planes:
        if plane.name != "/host:CPU":
            continue
        for event in (event for line in plane.lines for event in line.events):
            kind = kind_of(plane.event_metadata[event.metadata_id].name)
            if kind:
                spent[kind] += event.duration_ps / 1e9 / calls
    return sorted(spent.items(), key=lambda item: -item[1])


def kind_of(event: str) -> str:
    """Return the type of the operation that an event "NAME:TYPE#..." describes, or ""."""
    name, colon, kind = event.partition("#")[0].rpartition(":")
    is_operation = colon and name and not name.endswith(":") and kind.isidentifier()
    return kind if is_operation else ""
