"""The machine's limits as contenders: matrix products, a copy of memory, bare reading."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import ours
from benchmarks.harness.benchmark import Command, Contender

if TYPE_CHECKING:
    from benchmarks.harness.work import Work


def last_json(output: str) -> dict[str, float]:
    """Return the JSON object in the last line of a program's output.

    Raises:
      ValueError: there is none.
    """
    lines = output.strip().splitlines()
    return json.loads(lines[-1] if lines else "")


def products(
    dtype: str, batch_size: int, shapes: Sequence[str], name: str = "products", examples: int = 0
) -> Contender:
    """Return the matrix products of a step alone, and a copy of memory.

    Args:
      dtype: the type of the products.
      batch_size: examples in the step.
      shapes: "ROWSxINNERxCOLUMNS", with "*N" for N times one after the other.
      name: the name of the contender, before the type.
      examples: examples whose seconds are `product_seconds`; 0 for one step's.
    """

    def command(work: Work, folder: Path) -> Command:
        return ours.python(
            *("-m", "benchmarks.children.products", f"--dtype={dtype}"),
            *(f"--shapes={','.join(shapes)}", f"--rounds={3 if work.settings.quick else 9}"),
        )

    def read(output: str, folder: Path) -> dict[str, float]:
        found = last_json(output)
        seconds = found.pop("seconds")
        steps = examples / batch_size if examples else 1.0
        found["examples_per_second"] = batch_size / seconds
        found["product_seconds"] = seconds * steps
        return found

    return Contender(f"{name} {dtype}", f"its matrix products, {dtype}", command, read)


def both_products(batch_size: int, shapes: Sequence[str]) -> list[Contender]:
    """Return `products` for both types."""
    return [products(dtype, batch_size, shapes) for dtype in ours.DTYPES]
