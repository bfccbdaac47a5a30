"""Standardization of each feature by fixed statistics, which are weights of the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from yt8m.compat import NO_AUTOCAST
from yt8m.layers.base import Yt8mLayer


class Standardize(Yt8mLayer):
    """(x − mean) · factor, with two numbers for each feature that training does not change.

    They are weights, so that checkpoints, weight files and exported models contain them. Until
    `set_statistics`, they are 0 and 1.

    Call: float [..., D] -> float32 [..., D].
    """

    def __init__(self, **kwargs: Any):
        # A feature of large values and small changes would lose them in bfloat16.
        super().__init__(**{"autocast": False, **kwargs})

    def build(self, input_shape: Any) -> None:
        """Create the mean and the factor of each feature [D]."""
        shape = (int(input_shape[-1]),)
        fixed = {"trainable": False, "dtype": "float32", **NO_AUTOCAST}
        self.mean = self.new_weight("mean", shape, "zeros", **fixed)
        self.factor = self.new_weight("factor", shape, "ones", **fixed)
        self.built = True

    def set_statistics(self, mean: NDArray[Any], factor: NDArray[Any]) -> None:
        """Set the mean and the factor of each feature [D]."""
        if not self.built:
            self.build((None, len(mean)))
        self.mean.assign(np.asarray(mean, np.float32))
        self.factor.assign(np.asarray(factor, np.float32))

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return the standardized features."""
        return (tf.cast(x, tf.float32) - self.mean) * self.factor
