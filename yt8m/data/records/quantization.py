"""Features as bytes and back, in NumPy; the models' first layer does the same on the device.

Dequantisation: x = q · 4/255 + 4/512 − 2 (docs/sources.md#quantisation). The half-bin offset is
kept, so `quantize` is the inverse with the smallest round-trip error, not the rounding of the
starter's extractor.
"""

from __future__ import annotations

import numpy as np

SCALE = 4.0 / 255.0
OFFSET = 4.0 / 512.0 - 2.0


def dequantize(q: np.ndarray) -> np.ndarray:
    """Return float32 features in [-1.9921875, 2.0078125] of uint8 `q`, any shape."""
    return (q.astype(np.float32) * np.float32(SCALE) + np.float32(OFFSET)).astype(np.float32)


def quantize(x: np.ndarray) -> np.ndarray:
    """Return the uint8 values that `dequantize` brings closest to `x`, clipped to the range."""
    bins = (np.asarray(x, np.float32) - np.float32(OFFSET)) / np.float32(SCALE)
    return np.clip(np.rint(bins), 0, 255).astype(np.uint8)
