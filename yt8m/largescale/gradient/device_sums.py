"""Sums of gradients over a task's batches, on the device that computes the gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf


class DeviceSums:
    """Totals in float64, in which sums of float32 numbers keep their digits.

    Each number is added to its own total in the order of the batches, so the digits depend neither
    on threads nor on the device, and are those that NumPy gives. Only the totals of a task leave
    the device, and not the gradients of each batch.

    Args:
      shapes: the shape of each gradient.
    """

    def __init__(self, shapes: Sequence[tf.TensorShape]):
        self._totals = [
            tf.Variable(tf.zeros(shape, tf.float64), trainable=False) for shape in shapes
        ]
        parts = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
        on_cpu = all("CPU" in total.device for total in self._totals)
        # Compiled for a CPU, it writes no copy of the gradients in float64 on the way.
        self.add = tf.function(self._add, input_signature=[parts], jit_compile=on_cpu)

    def clear(self) -> None:
        """Set all totals to zero."""
        for total in self._totals:
            total.assign(tf.zeros_like(total))

    def _add(self, parts: Sequence[tf.Tensor]) -> None:
        """Add a batch's gradients, float32."""
        for total, part in zip(self._totals, parts):
            total.assign_add(tf.cast(part, tf.float64))

    def arrays(self) -> list[np.ndarray]:
        """Return the totals, float32."""
        return [tf.cast(total, tf.float32).numpy() for total in self._totals]
