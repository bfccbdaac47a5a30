"""Features as bytes and back, in NumPy; the models' first layer does the same on the device.

Dequantisation: x = q · 4/255 + 4/512 − 2 (docs/sources.md#quantisation). The half-bin offset is
kept, so `quantize` is the inverse with the smallest round-trip error, not the rounding of the
starter's extractor.
"""

from __future__ import annotations

import numpy as np

SCALE = 4.0 / 255.0
OFFSET = 4.0 / 512.0 - 2.0
# The values that the first and the last byte stand for, and half a bin beyond them.
LEAST, MOST = OFFSET - SCALE / 2, 255 * SCALE + OFFSET + SCALE / 2


class ValuesCutOff:
    """Counts the values beyond what bytes hold, which `quantize` cuts off."""

    def __init__(self) -> None:
        self._values: dict[str, int] = {}
        self._beyond: dict[str, int] = {}

    def add(self, name: str, values: np.ndarray) -> None:
        """Count the values of a feature, of any shape."""
        beyond = np.count_nonzero((values < LEAST) | (values > MOST))
        self._values[name] = self._values.get(name, 0) + values.size
        self._beyond[name] = self._beyond.get(name, 0) + int(beyond)

    def line(self) -> str:
        """Return a line with the numbers of each feature, or "" if nothing was cut off."""
        shares = [
            f"{count:,} of the {self._values[name]:,} values of {name}"
            for name, count in self._beyond.items()
            if count
        ]
        if not shares:
            return ""
        return (
            f"{' and '.join(shares)} are beyond {LEAST:.3g} to {MOST:.3g}, which is what the"
            " release's bytes hold, and were cut off there"
        )


def dequantize(q: np.ndarray) -> np.ndarray:
    """Return float32 features in [-1.9921875, 2.0078125] of uint8 `q`, any shape."""
    return (q.astype(np.float32) * np.float32(SCALE) + np.float32(OFFSET)).astype(np.float32)


def quantize(x: np.ndarray) -> np.ndarray:
    """Return the uint8 values that `dequantize` brings closest to `x`, clipped to the range."""
    bins = (np.asarray(x, np.float32) - np.float32(OFFSET)) / np.float32(SCALE)
    return np.clip(np.rint(bins), 0, 255).astype(np.uint8)
