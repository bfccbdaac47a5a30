"""Write programs to a folder that another machine runs with jax alone.

DIR/run.py                    runs the programs and measures them
DIR/programs/NAME.mlirbc      a program as a portable StableHLO artifact
DIR/programs/NAME.json        its arguments and results, and what it computes
"""

from __future__ import annotations

import importlib.resources
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.accelerators.flops import Work, work_of
from yt8m.accelerators.lower import Argument, Lowered, import_jax, lower
from yt8m.accelerators.program import Program
from yt8m.files import write_bytes, write_json, write_text

# Arrays of more elements than this are drawn at random like themselves, unless they are constants.
_AS_IT_IS = 8
_README = """\
# Programs of yt8m for any accelerator

`programs/` has training, evaluation and prediction steps as StableHLO. On a machine with a GPU or a
TPU and jax 0.11 or newer, and nothing else of this project:

```sh
python run.py --json=results.json
```

measures each one on the first device: examples/s, the share of the device's peak, memory, the loss.
The file of results is written after each program, and the same command goes on where it stopped.

- `--only='*.train.*'` chooses programs by name, `--dtype=bfloat16` by type.
- `--seconds=3` runs each one longer. `--stop_after=500` starts no program after so many seconds.
- `--profile` also finds the kernels that take most time.
- On a GPU the compiler spends its time on trying kernels. `XLA_FLAGS=--xla_gpu_autotune_level=0`
  tries none, and `XLA_FLAGS=--xla_gpu_enable_triton_gemm=false` leaves matrix products to cuBLAS.
"""


def name_of(program: Program) -> str:
    """Return MODEL.PROGRAM.DTYPE.bBATCH.fFRAMES; a program of video-level data has no frames."""
    frames = f".f{program.num_frames}" if program.num_frames else ""
    return f"{program.model}.{program.name}.{program.dtype}.b{program.examples}{frames}"


def write_runner(folder: str) -> None:
    """Write `run.py` and `README.md`, and make the folder of programs."""
    tf.io.gfile.makedirs(f"{folder}/programs")
    script = importlib.resources.files("yt8m.accelerators").joinpath("run_exported.py")
    write_bytes(f"{folder}/run.py", script.read_bytes())
    write_text(f"{folder}/README.md", _README)


def export(program: Program, folder: str, more: dict[str, Any]) -> dict[str, Any]:
    """Write a program and its description into `folder`, and return the description.

    Args:
      program: what to export.
      folder: where `write_runner` wrote.
      more: entries to add to the description.
    """
    lowered = lower(program)
    about = {**describe(lowered), **more}
    path = f"{folder}/programs/{name_of(program)}"
    write_bytes(f"{path}.mlirbc", lowered.artifact)
    write_json(f"{path}.json", about, indent=None)  # its name says that the program is complete
    return about


def describe(lowered: Lowered) -> dict[str, Any]:
    """Return what `run.py` must know of a program, as JSON values."""
    program = lowered.program
    results, work = _read(lowered.artifact)
    return {
        "model": program.model,
        "program": program.name,
        "about": program.about,
        "dtype": program.dtype,
        "batch_size": program.examples,
        "num_frames": program.num_frames,
        "flops": work.flops,
        "loops": work.loops,
        "arguments": [
            {
                "name": argument.name,
                "role": argument.role,
                "shape": argument.shape,
                "dtype": argument.dtype,
                "init": _first_value(argument),
            }
            for argument in lowered.arguments
        ],
        "outputs": [
            {"name": result.name, "shape": shape, "dtype": dtype}
            for result, (shape, dtype) in zip(lowered.results, results)
        ],
        "updates": [
            (result.updates, number)
            for number, result in enumerate(lowered.results)
            if result.updates is not None
        ],
    }


def _first_value(argument: Argument) -> dict[str, Any] | None:
    """Return a short description of an argument's first value; None for the data."""
    if argument.value is not None:
        return {"values": argument.value.ravel().tolist()}
    if argument.variable is None:
        return None
    value = tf.convert_to_tensor(argument.variable).numpy()
    if value.size <= _AS_IT_IS:
        return {"values": value.ravel().tolist()}
    value = value.astype(np.float64)
    if value.min() == value.max():
        return {"constant": value.flat[0]}
    return {"mean": value.mean(), "std": value.std()}


def _read(artifact: bytes) -> tuple[list[tuple[list[int], str]], Work]:
    """Return the shapes and types of a program's results, and what it computes."""
    jax_mlir = import_jax()
    from jaxlib import _jax
    from jaxlib.mlir import ir

    with jax_mlir.make_ir_context():
        module = _jax.mlir.deserialize_portable_artifact(artifact)
        types = ir.SymbolTable(module.operation)["main"].type.results
        results = [_shape_and_dtype(ir.RankedTensorType(t)) for t in types]
        return results, work_of(module)


def _shape_and_dtype(tensor: Any) -> tuple[list[int], str]:
    element = str(tensor.element_type)
    if element == "i1":
        return list(tensor.shape), "bool"
    long_names = {"bf": "bfloat", "f": "float", "ui": "uint", "i": "int"}
    letters = element.rstrip("0123456789")
    return list(tensor.shape), long_names[letters] + element.removeprefix(letters)
