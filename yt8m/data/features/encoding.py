"""Numbers that were written as the bytes of frames, recognized by several signs.

A frame of the releases has one byte for each value. Nothing in a record says so: 1,024 numbers of
float16 look like 2,048 values, and a width says little, because features may have any.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_FEWEST = 64  # numbers in a frame, and
_ENOUGH = 1000  # in all frames, with fewer of which chance decides
_USUAL = {"float32": (1e-12, 1e8), "float64": (1e-30, 1e30), "float16": (2e-5, 2e3)}
_ALL = 0.995  # share of the numbers that must be of a usual size
_UNLIKE = 0.5  # total variation between the first and the last bytes of the numbers


def numbers_in(frames: Sequence[bytes]) -> str:
    """Return what numbers the bytes of frames are, such as "1,024 float32 numbers", or "".

    The signs, all of which must agree: as such numbers, nearly all of them are of a usual size,
    which few of the patterns of their bits are; and the bytes with their signs and exponents have
    another distribution than those with the ends of their fractions, where the releases' bytes
    have the same at every place.

    Args:
      frames: frames of a feature, of one width.
    """
    widths = {len(frame) for frame in frames}
    if len(widths) != 1:
        return ""
    (width,) = widths
    for name, (least, most) in _USUAL.items():
        kind = np.dtype(name).newbyteorder("<")
        if width % kind.itemsize or width // kind.itemsize < _FEWEST:
            continue
        parts = np.frombuffer(b"".join(frames), np.uint8).reshape(-1, kind.itemsize)
        parts = parts[parts.any(-1)]
        if len(parts) < _ENOUGH:
            continue
        with np.errstate(invalid="ignore"):
            size = np.abs(parts.view(kind)[:, 0].astype(np.float64))
            usual = float(((size >= least) & (size <= most)).mean())
        if usual >= _ALL and _variation(parts[:, 0], parts[:, -1]) >= _UNLIKE:
            return f"{width // kind.itemsize:,} {name} numbers"
    return ""


def _variation(a: np.ndarray, b: np.ndarray) -> float:
    """Return the total variation between the distributions of two sets of bytes."""
    shares = [np.bincount(x, minlength=256) / len(x) for x in (a, b)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)
