"""The axes of a chart: a range of numbers, its ticks, and the places of numbers on the page."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable


@dataclasses.dataclass(frozen=True)
class Axis:
    """An axis.

    Attributes:
      title: what it shows.
      low: the number at its beginning.
      high: the number at its end.
      ticks: the numbers that are marked.
      log: whether equal distances are equal ratios.
    """

    title: str
    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def share(self, value: float) -> float:
        """Return where a number is, from 0 at the beginning to 1 at the end."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        return (self._scaled(value) - low) / (high - low)

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.log else value


def linear(title: str, values: Iterable[float], most: int = 5, low: float | None = None) -> Axis:
    """Return an axis for numbers, that begins and ends at ticks.

    Args:
      title: what it shows.
      values: the numbers to show.
      most: about so many steps between ticks.
      low: the beginning; None is the tick before the smallest number.
    """
    shown = [v for v in values if math.isfinite(v)] or [0.0]
    first, last = min(shown) if low is None else low, max(shown)
    step = _step((last - first) or abs(last) or 1.0, most)
    begin, end = math.floor(first / step + 1e-9), math.ceil(last / step - 1e-9)
    end = max(end, begin + 1)
    return Axis(title, begin * step, end * step, tuple(i * step for i in range(begin, end + 1)))


def logarithmic(title: str, values: Iterable[float]) -> Axis:
    """Return an axis of powers of ten for positive numbers."""
    shown = [v for v in values if v > 0] or [1.0]
    begin, end = math.floor(math.log10(min(shown))), math.ceil(math.log10(max(shown)))
    ticks = tuple(10.0**i for i in range(begin, max(end, begin + 1) + 1))
    return Axis(title, ticks[0], ticks[-1], ticks, log=True)


def _step(span: float, most: int) -> float:
    rough = span / most
    unit = 10.0 ** math.floor(math.log10(rough))
    return next(m * unit for m in (1, 2, 2.5, 5, 10) if m * unit >= rough * (1 - 1e-9))


def number(value: float) -> str:
    """Return a number as short text: 0.65, 20k, 1.5M."""
    size = abs(value)
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= limit:
            return f"{value / limit:g}{unit}" if limit > 1e4 else f"{value / 1e3:g}k"
    return f"{round(value, 6):g}"
