"""Where the time of compiled calls goes, by operation, from TensorFlow's profiler."""

from __future__ import annotations

import glob
import os
import tempfile
from collections import defaultdict
from typing import Any, Callable

import tensorflow as tf

Operations = list[tuple[str, float]]  # (type of operation, milliseconds), the largest first
WHOLE, IN_PRODUCTS = "the whole call", "some matrix product"  # wall time, among the operations


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
    """Return the milliseconds of a call by type of operation, summed over threads.

    Two entries are wall time: that of a call, and that in which it multiplies matrices, which is
    less than the products' sum if two run side by side.

    Args:
      trace: a serialised XSpace.
      calls: the number of calls in it.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(trace)
    spent: dict[str, float] = defaultdict(float)
    products: list[tuple[int, int]] = []
    for plane in space.planes:
        if plane.name != "/host:CPU":
            continue
        for line, event in ((thread, one) for thread in plane.lines for one in thread.events):
            name = plane.event_metadata[event.metadata_id].name
            kind = WHOLE if name.startswith("EagerLocalExecute") else kind_of(name)
            if kind:
                spent[kind] += event.duration_ps / 1e9 / calls
            if "MatMul" in kind or "Einsum" in kind:
                start = 1000 * line.timestamp_ns + event.offset_ps
                products.append((start, start + event.duration_ps))
    if products:
        spent[IN_PRODUCTS] = covered(products) / 1e9 / calls
    return sorted(spent.items(), key=lambda item: -item[1])


def covered(intervals: list[tuple[int, int]]) -> int:
    """Return the length of the union of intervals (start, end)."""
    total, last = 0, 0
    for start, end in sorted(intervals):
        total += max(0, end - max(start, last))
        last = max(last, end)
    return total


def kind_of(event: str) -> str:
    """Return the type of the operation that an event "NAME:TYPE#..." describes, or ""."""
    name, colon, kind = event.partition("#")[0].rpartition(":")
    is_operation = colon and name and not name.endswith(":") and kind.isidentifier()
    return kind if is_operation else ""
