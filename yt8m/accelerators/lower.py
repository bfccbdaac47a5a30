"""From a program to StableHLO, the portable form that every XLA compiler takes."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.accelerators.program import Program, Role
from yt8m.errors import UserError

# The version of StableHLO that artifacts are written in; jax 0.11 and newer read it.
STABLEHLO_VERSION = "1.10.0"


@dataclasses.dataclass(frozen=True)
class Argument:
    """An argument of a lowered program.

    Attributes:
      name: the name of the data or of the variable.
      role: what it is.
      shape: its sides.
      dtype: as NumPy and `ml_dtypes` call it.
      value: that of a constant; None for every other role.
      variable: whose value it is; None for data and constants.
    """

    name: str
    role: Role
    shape: tuple[int, ...]
    dtype: str
    value: np.ndarray | None = None
    variable: tf.Variable | None = None


@dataclasses.dataclass(frozen=True)
class Result:
    """A result of a lowered program.

    Attributes:
      name: the output, or the variable whose new value it is.
      updates: the number of the argument whose new value it is, or None.
    """

    name: str
    updates: int | None


@dataclasses.dataclass(frozen=True)
class Lowered:
    """A program in StableHLO.

    Attributes:
      program: what was lowered.
      artifact: the module as a portable artifact.
      arguments: in the module's order.
      results: in the module's order.
    """

    program: Program
    artifact: bytes
    arguments: tuple[Argument, ...]
    results: tuple[Result, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The numbers of the arguments that are the state of random draws."""
        return tuple(i for i, a in enumerate(self.arguments) if a.role == "seed")


def lower(program: Program) -> Lowered:
    """Return a program in StableHLO; this traces it.

    Raises:
      UserError: jax is not installed, or has no wheel for this Python.
      ValueError: the program has a part that XLA does not compile, or a shape that is not static.
    """
    import_jax()
    concrete = program.function.get_concrete_function(*program.specs.values())
    arguments = _arguments(program, concrete)
    compiler_ir = program.function.experimental_get_compiler_ir(*program.specs.values())
    artifact, updated = _portable(compiler_ir(stage="hlo_serialized"), len(program.outputs))
    outputs = [Result(name, None) for name in program.outputs]
    updates = [Result(arguments[i].name, i) for i in updated]
    return Lowered(program, artifact, arguments, (*outputs, *updates))


def _arguments(program: Program, concrete: Any) -> tuple[Argument, ...]:
    """Return the arguments of a traced function: its data, then what it captured."""
    known = {id(v.handle): (role, v) for role, v in program.variables}
    data = [
        Argument(name, "data", tuple(spec.shape), spec.dtype.name)
        for name, spec in program.specs.items()
    ]
    return (*data, *(_captured(outer, known) for outer, _ in concrete.graph.captures))


def _captured(outer: tf.Tensor, known: dict[int, tuple[Role, tf.Variable]]) -> Argument:
    if outer.dtype != tf.resource:
        value = outer.numpy()
        return Argument("constant", "constant", value.shape, outer.dtype.name, value)
    if id(outer) not in known:
        raise ValueError(f"{outer} is a variable that the program does not list")
    role, variable = known[id(outer)]
    name = variable.name.partition(":")[0]
    shape, dtype = tuple(variable.shape), variable.dtype.name
    return Argument(name, role, shape, dtype, variable=variable)


def import_jax() -> Any:
    """Return jax's MLIR helpers, without starting a device.

    Raises:
      UserError: jax is not installed, or this Python is too old for it.
    """
    if sys.version_info < (3, 12):
        found = ".".join(map(str, sys.version_info[:2]))
        raise UserError(
            f"the programs are lowered by a jax that needs Python 3.12 or newer, and this is Python"
            f" {found}; use an environment of a newer Python (docs/installation.md)."
        )
    try:
        return importlib.import_module("jax._src.interpreters.mlir")
    except ImportError as error:
        raise UserError(
            f"this needs the packages of the extra [tpu-check] ({error}); install them with"
            " `pip install 'yt8m[tpu-check]'`, in a clone `pip install '.[tpu-check]'`."
        ) from None


def _portable(hlo: bytes, num_outputs: int) -> tuple[bytes, list[int]]:
    """Return HLO as a portable StableHLO artifact, and the arguments that results update.

    Args:
      hlo: a serialised HLO module.
      num_outputs: the results that come first and update no argument.

    Raises:
      ValueError: a shape is not static, or a result is neither an output nor an update.
    """
    jax_mlir = import_jax()
    from jaxlib import _jax
    from jaxlib.mlir import ir
    from jaxlib.mlir.dialects import stablehlo

    with jax_mlir.make_ir_context():
        module = ir.Module.parse(_jax.mlir.hlo_to_stablehlo(hlo))
        _remove_copies(module, ir)
        main = ir.SymbolTable(module.operation)["main"].type
        if "?" in str(main):
            raise ValueError(f"a shape is not static: {main}")
        updated = _updated(module)
        wanted = list(range(num_outputs, len(main.results)))
        if sorted(updated) != wanted:
            raise ValueError(
                f"results {wanted} should update variables, but those that do are {sorted(updated)}"
            )
        artifact = stablehlo.serialize_portable_artifact_str(str(module), STABLEHLO_VERSION)
    return artifact, [updated[i] for i in wanted]


def _remove_copies(module: Any, ir: Any) -> None:
    """Remove the copies that the conversion leaves; each is an identity, and not StableHLO."""
    copies = []

    def collect(operation: Any) -> Any:
        if operation.name == "mhlo.copy":
            copies.append(operation)
        return ir.WalkResult.ADVANCE

    module.operation.walk(collect)
    for copy in copies:
        copy.results[0].replace_all_uses_with(copy.operands[0])
        copy.erase()


def _updated(module: Any) -> dict[int, int]:
    """Return the argument that each result updates, by the number of the result."""
    found = {}
    for pair in module.operation.attributes.get("mhlo.input_output_alias", ()):
        index = [*pair["output_index"], 0][0]  # empty if there is one result
        found[int(index)] = int(pair["alias"]["parameter_number"].value)
    return found
