"""The parts of concatenated frames, each of which is pooled by clusters of its own."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


def shares(total: int, feature_sizes: Sequence[int], divisor: int, least: int = 1) -> list[int]:
    """Return the number of clusters (or groups) of each feature.

    The published models give `total` of them to the 1024 numbers of rgb, and a half or an eighth to
    the 128 of audio. Here every feature as wide as the widest gets `total`, whatever its name.

    Args:
      total: that of the widest feature.
      feature_sizes: the width of each feature.
      divisor: what `total` is divided by for a narrower feature.
      least: no feature gets fewer.
    """
    widest = max(feature_sizes)
    return [total if width == widest else max(least, total // divisor) for width in feature_sizes]


def split(x: tf.Tensor, feature_sizes: Sequence[int]) -> list[tf.Tensor]:
    """Return the features of concatenated frames [B, T, D], each of them [B, T, width]."""
    return tf.split(x, list(feature_sizes), axis=-1)
