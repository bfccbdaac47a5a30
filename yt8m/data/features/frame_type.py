"""The type in which float frames travel to the device, chosen by the values of some records."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from yt8m.data.features.statistics import Moments, read_rows
from yt8m.data.schema import Frames, RecordSchema

_RECORDS, _SHARDS = 64, 8
# Rounding may change a value by this share of its feature's standard deviation (root mean square).
# The 8 bits of the releases change their features by about three times as much.
_MOST = 1 / 200
# float16 ends at 65,504. A value that was not among those read may be larger than all of them.
_LARGEST = 65504 / 16


def choose_frame_type(files: Sequence[str], schema: RecordSchema) -> tuple[Frames, str]:
    """Return the smallest type of floats that keeps the values of frames, and why, as text.

    Args:
      files: shards.
      schema: schema of their records, which have float frames.
    """
    as_read = dataclasses.replace(schema, frames_as="float32")
    parts = [rows for rows, _ in read_rows(files, as_read, _RECORDS, _SHARDS)]
    moments = Moments(schema.feature_size)
    for rows in parts:
        moments.add(rows)
    found = moments.result()
    if found is None:
        return "float32", "float frames travel as float32: there is no finite value to judge by"
    largest = float(np.maximum(np.abs(found.least), np.abs(found.most)).max())
    spread = np.where(found.varies, found.std, np.inf)
    span = f"values from {found.least.min():.4g} to {found.most.max():.4g}"
    kinds: tuple[Frames, ...] = ("float16", "bfloat16")
    for kind in kinds:
        if kind == "float16" and largest > _LARGEST:
            continue
        share = float((_rounding(parts, kind) / spread).max())
        if share <= _MOST:
            kept = f"rounding moves no feature by more than {share:.2%} of its spread"
            return kind, f"float frames travel as {kind} ({span}; {kept})"
    return "float32", f"float frames travel as float32 ({span}; 16 bits would be too coarse)"


def _rounding(parts: Sequence[np.ndarray], kind: Frames) -> np.ndarray:
    """Return the root mean square of what a type changes in each feature [D]."""
    small = tf.as_dtype(kind).as_numpy_dtype
    squares, count = 0.0, 0
    for rows in parts:
        change = rows.astype(small).astype(np.float64) - rows
        squares, count = squares + (change**2).sum(0), count + len(rows)
    return np.sqrt(squares / count)
