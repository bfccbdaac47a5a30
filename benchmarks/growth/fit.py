"""Exponents of growth: the slope of a line through logarithms."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np


@dataclasses.dataclass(frozen=True)
class Fit:
    """A power law y = factor · x^exponent.

    Attributes:
      exponent: the slope on logarithmic axes.
      error: its standard error.
      factor: y at x = 1.
      first: the smallest x that was used.
    """

    exponent: float
    error: float
    factor: float
    first: float

    def __str__(self) -> str:
        return f"{self.exponent:.2f} ± {self.error:.2f}"


def fit(points: Mapping[float, float]) -> Fit | None:
    """Return the power law through the upper half of the range of x, on a logarithmic axis.

    At small sizes a fixed cost hides the growth, so the lower half is left out.

    Args:
      points: x -> y, all positive.

    Returns:
      None if fewer than three points are in the upper half: a line through two has no error.
    """
    if not points:
        return None
    middle = np.sqrt(min(points) * max(points))
    upper = sorted(x for x in points if x >= middle)
    if len(upper) < 3:
        return None
    x, y = np.log(upper), np.log([points[at] for at in upper])
    deviations = x - x.mean()
    spread = float(deviations @ deviations)
    slope = float(deviations @ y) / spread
    rest = y - y.mean() - slope * deviations
    error = float(np.sqrt(rest @ rest / (len(x) - 2) / spread))
    return Fit(slope, error, float(np.exp(y.mean() - slope * x.mean())), upper[0])
