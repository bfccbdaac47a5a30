"""Floating-point operations of a program, counted in its StableHLO.

Compilers count the body of a loop once, and some leave out what a library computes; a share of a
device's peak needs the operations that the program asks for.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

_SAME_VALUE = ("stablehlo.reshape", "stablehlo.convert")


@dataclasses.dataclass(frozen=True)
class Work:
    """What a program computes.

    Attributes:
      flops: multiplications and additions of matrix products and convolutions, loops unrolled.
      loops: how often the body of each loop runs, outer and inner loops one after the other.
    """

    flops: float
    loops: tuple[int, ...]

    def __add__(self, other: Work) -> Work:
        return Work(self.flops + other.flops, self.loops + other.loops)

    def times(self, count: int) -> Work:
        """Return the work of `count` rounds of a loop whose body is this."""
        return Work(self.flops * count, (count, *self.loops))


NOTHING = Work(0, ())


def work_of(module: Any) -> Work:
    """Return the work of the function `main` of a StableHLO module.

    Raises:
      ValueError: the rounds of a loop are not a constant.
    """
    functions = {f.attributes["sym_name"].value: f for f in module.body.operations}
    return _of_region(functions["main"].regions[0], functions)


def _of_region(region: Any, functions: dict[str, Any]) -> Work:
    total = NOTHING
    for block in region:
        for operation in block.operations:
            total += _of_operation(operation.operation, functions)
    return total


def _of_operation(operation: Any, functions: dict[str, Any]) -> Work:
    name = operation.name
    if name == "func.call":
        called = operation.attributes["callee"].value
        return _of_region(functions[called].regions[0], functions)
    if name == "stablehlo.while":
        rounds = _rounds(operation, functions)
        return _of_region(operation.regions[1], functions).times(rounds)
    if name in ("stablehlo.case", "stablehlo.if"):
        branches = [_of_region(region, functions) for region in operation.regions]
        return max(branches, key=lambda work: work.flops)
    count = _COUNTS.get(name)
    return Work(count(operation), ()) if count else NOTHING


def _dot(operation: Any) -> float:
    """Return 2 · (elements of the result) · (elements that each of them sums over)."""
    left, result = _shape(operation.operands[0]), _shape(operation.results[0])
    return 2.0 * math.prod(result) * left[-1]


def _dot_general(operation: Any) -> float:
    from jaxlib.mlir.dialects import stablehlo

    numbers = stablehlo.DotDimensionNumbers(operation.attributes["dot_dimension_numbers"])
    left, result = _shape(operation.operands[0]), _shape(operation.results[0])
    summed = math.prod(left[d] for d in numbers.lhs_contracting_dimensions)
    return 2.0 * math.prod(result) * summed


def _convolution(operation: Any) -> float:
    from jaxlib.mlir.dialects import stablehlo

    numbers = stablehlo.ConvDimensionNumbers(operation.attributes["dimension_numbers"])
    kernel, result = _shape(operation.operands[1]), _shape(operation.results[0])
    summed = math.prod(kernel) / kernel[numbers.kernel_output_feature_dimension]
    # A gradient by the input spreads its argument with zeros, which no device multiplies.
    spread = operation.attributes.get("lhs_dilation", [])
    return 2.0 * math.prod(result) * summed / math.prod(spread)


_COUNTS: dict[str, Callable[[Any], float]] = {
    "stablehlo.dot": _dot,
    "stablehlo.dot_general": _dot_general,
    "stablehlo.convolution": _convolution,
}


def _shape(value: Any) -> list[int]:
    from jaxlib.mlir import ir

    return list(ir.RankedTensorType(value.type).shape)


def _rounds(loop: Any, functions: dict[str, Any]) -> int:
    """Return how often a loop runs: until the first of its counters reaches a limit.

    TensorFlow's loops compare one or two counters, which go up by 1; a gradient's loop counts to
    the last value of the counter of the loop that it is the gradient of.
    """
    limits: list[int] = []
    _compare(loop.regions[0], list(loop.operands), functions, limits)
    if not limits:
        raise ValueError(f"the rounds of this loop are not known: {str(loop)[:300]}")
    return max(0, min(limits))


def _compare(region: Any, values: list[Any], functions: dict[str, Any], limits: list[int]) -> None:
    """Append `limit − first value` of each comparison of a condition to `limits`.

    Args:
      region: the condition, or the function that it calls.
      values: the first values of its arguments.
      functions: by name.
      limits: is appended to.
    """
    (block,) = region
    known = dict(zip(block.arguments, values))
    for operation in block.operations:
        inner = operation.operation
        operands = [known.get(x, x) for x in inner.operands]
        if inner.name == "func.call":
            called = functions[inner.attributes["callee"].value]
            _compare(called.regions[0], operands, functions, limits)
        elif inner.name == "stablehlo.compare":
            first, limit = (_constant(x, functions) for x in operands)
            if first is not None and limit is not None:
                limits.append(limit - first)


def _constant(value: Any, functions: dict[str, Any]) -> int | None:
    """Return the value of an integer scalar that is a constant or a finished counter, or None."""
    from jaxlib.mlir import ir

    owner = value.owner
    while getattr(owner, "name", "") in _SAME_VALUE:
        value = owner.operands[0]
        owner = value.owner
    name = getattr(owner, "name", "")
    if name == "stablehlo.while":
        first = _constant(owner.operands[ir.OpResult(value).result_number], functions)
        return None if first is None else first + _rounds(owner, functions)
    if name != "stablehlo.constant":
        return None
    try:
        element = ir.DenseIntElementsAttr(owner.attributes["value"])
    except ValueError:  # a constant that is not of integers
        return None
    return int(element[0]) if len(element) == 1 else None
