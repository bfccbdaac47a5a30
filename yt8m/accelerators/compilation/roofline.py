"""The examples a second that a chip's published numbers allow: a bound, and no measurement."""

from __future__ import annotations

from yt8m.accelerators.compilation.chips import Chip
from yt8m.accelerators.compilation.request import Row


def memory_bytes(row: Row) -> int:
    """Return the device memory that a compiled program takes: arguments, results, temporaries.

    A result that replaces an argument is in its place.
    """
    results = row["output_bytes"] - row["alias_bytes"]
    return int(row["argument_bytes"] + results + row["temporary_bytes"])


def flops(row: Row) -> float:
    """Return the operations of a step.

    The compiler counts the body of a loop once, so a program with loops has those of its matrix
    products, with every round, as its own text states them.
    """
    counted = row["product_flops"] if row["loops"] else 0.0
    return float(max(row["flops"], counted))


def bound(row: Row, chip: Chip) -> float:
    """Return the most examples a second, over all replicas.

    A step takes at least its operations over the peak, and its bytes over the bandwidth. The bytes
    of a loop's body are counted once.
    """
    compute, traffic = _seconds(row, chip)
    return float(row["examples"] / max(compute, traffic, 1e-12))


def is_bound_by_compute(row: Row, chip: Chip) -> bool:
    """Return whether the operations take longer than the bytes, at the published numbers."""
    compute, traffic = _seconds(row, chip)
    return compute > traffic


def _seconds(row: Row, chip: Chip) -> tuple[float, float]:
    return flops(row) / chip.share(chip.peak), row["bytes"] / chip.share(chip.bandwidth)
