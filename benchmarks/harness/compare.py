"""The comparisons that every training benchmark makes."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.harness.benchmark import Comparison
from benchmarks.harness.ours import DTYPES

SPEED = "examples_per_second"
_WHOLE = ("wall_seconds", "processor_seconds", "peak_gb")


def training(
    beside_starter: Mapping[str, float], beside_products: Mapping[str, float] | None = None
) -> list[Comparison]:
    """Return the lines of a training benchmark: beside the starter code and the matrix products.

    Args:
      beside_starter: the ratios of examples/s to reach, by type.
      beside_products: the shares of the step's time that its products have to take, by type.
    """
    products = beside_products or {}
    return [
        *(Comparison(dtype, "starter", SPEED, beside_starter[dtype]) for dtype in DTYPES),
        *(Comparison(d, f"products {d}", SPEED, products.get(d, 0.0)) for d in DTYPES),
        *(Comparison(dtype, "starter", metric) for metric in _WHOLE for dtype in DTYPES),
    ]
