"""Compile one program for a TPU that need not be there: a child of `yt8m accelerators compile`.

    python -m yt8m.accelerators.compilation.compile_one '{"model": ..., "program": ...}' RESULT.json

A compiler that crashes, or takes all memory, ends this process and no other.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from typing import Any

from yt8m.accelerators import programs
from yt8m.accelerators.compilation.chips import chip_of
from yt8m.accelerators.compilation.request import Request
from yt8m.accelerators.flops import work_of
from yt8m.accelerators.lower import import_jax, lower
from yt8m.accelerators.program import Program
from yt8m.files import write_json
from yt8m.process import quiet  # noqa: F401

TOO_LARGE = "RESOURCE_EXHAUSTED"  # how XLA says that the memory does not suffice


def main(request: Request, path: str, known: str) -> None:
    """Write what became of a program, as JSON.

    Args:
      request: what to compile.
      path: the file to write.
      known: digest of the program that was compiled before; the same program is not compiled again.
    """
    start = time.monotonic()
    program = programs.make(request.model, request.program, request.sizes())
    artifact = lower(program).artifact
    found: dict[str, Any] = {**facts(program, artifact)}
    found["lower_seconds"] = round(time.monotonic() - start, 1)
    if found["program_hash"] != known:
        start = time.monotonic()
        found.update(numbers(artifact, request.topology, request.replicas))
        found["compile_seconds"] = round(time.monotonic() - start, 1)
    write_json(path, found)


def facts(program: Program, artifact: bytes) -> dict[str, Any]:
    """Return what a row says of a program before it is compiled."""
    jax_mlir = import_jax()
    from jaxlib.mlir.dialects import stablehlo

    with jax_mlir.make_ir_context() as context:
        work = work_of(stablehlo.deserialize_portable_artifact(context, artifact))
    return {
        "program_hash": hashlib.sha256(artifact).hexdigest()[:16],
        "examples": program.examples,
        "num_frames": program.num_frames,
        "about": program.about,
        "product_flops": work.flops,
        "loops": list(work.loops),
    }


def numbers(artifact: bytes, topology: str, replicas: int) -> dict[str, Any]:
    """Return the numbers of a compiled program, or `error` if the compiler refused it."""
    try:
        executable = compile_for(artifact, topology, replicas)
    except RuntimeError as error:  # XLA's own is one
        text = str(error)
        return {"error": text[:600], "too_large": TOO_LARGE in text}
    memory, cost = executable.get_compiled_memory_stats(), executable.cost_analysis()
    return {
        "argument_bytes": memory.argument_size_in_bytes,
        "output_bytes": memory.output_size_in_bytes,
        "alias_bytes": memory.alias_size_in_bytes,
        "temporary_bytes": memory.temp_size_in_bytes,
        "code_bytes": memory.generated_code_size_in_bytes,
        "flops": float(cost.get("flops", 0.0)),
        "bytes": float(cost.get("bytes accessed", 0.0)),
    }


def compile_for(artifact: bytes, topology: str, replicas: int = 1) -> Any:
    """Return an executable of a StableHLO artifact for the first chips of a TPU topology.

    Raises:
      RuntimeError: the compiler refused it; the message says why.
    """
    chip = chip_of(topology)
    # libtpu reads these when it starts; without them it looks for a TPU, and waits for one.
    os.environ.update(
        TPU_SKIP_MDS_QUERY="1",
        TPU_ACCELERATOR_TYPE=chip.accelerator,
        TPU_WORKER_HOSTNAMES="localhost",
        TPU_WORKER_ID="0",
        ALLOW_MULTIPLE_LIBTPU_LOAD="1",
        JAX_PLATFORMS="cpu",
    )
    jax_mlir = import_jax()
    import numpy as np
    from jax.experimental import topologies
    from jaxlib import _jax, xla_client
    from jaxlib.mlir.dialects import stablehlo

    devices = topologies.get_topology_desc(platform="tpu", topology_name=topology).devices
    chosen = devices[:replicas]
    options = xla_client.CompileOptions()
    options.num_replicas, options.num_partitions = replicas, 1
    options.device_assignment = xla_client.DeviceAssignment.create(
        np.array([[device.id] for device in chosen])
    )
    with jax_mlir.make_ir_context() as context:
        module = stablehlo.deserialize_portable_artifact(context, artifact)
        return devices[0].client.compile(module, _jax.DeviceList(tuple(chosen)), options)


if __name__ == "__main__":
    main(Request(**json.loads(sys.argv[1])), *sys.argv[2:])
