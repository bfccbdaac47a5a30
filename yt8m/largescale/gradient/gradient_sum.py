"""Sums over examples, which the tasks send to the trainer.

This module uses only NumPy, so that a worker that only adds starts fast. Tasks return float32, the
type in which a gradient is computed, which halves the bytes. Totals are float64, in which sums of
float32 numbers keep their digits; they are still taken in the order of the tasks
(docs/sources.md#full-batch-gradient).
"""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass
class GradientSum:
    """Sums over some examples.

    Attributes:
      loss: the sum of the examples' losses, without regularisation.
      num_examples: the number of examples.
      num_broken: how many records were skipped as broken.
      gradients: the sum of the examples' gradients, one array for each variable; float32 from a
        task and float64 in a total.
    """

    loss: float
    num_examples: int
    num_broken: int
    gradients: list[np.ndarray]


def add_sums(total: GradientSum | None, part: GradientSum) -> GradientSum:
    """Add `part` to `total` in place; None starts a new total (`executors.base.Combine`)."""
    if total is None:
        return dataclasses.replace(part, gradients=[g.astype(np.float64) for g in part.gradients])
    total.loss += part.loss
    total.num_examples += part.num_examples
    total.num_broken += part.num_broken
    for mine, other in zip(total.gradients, part.gradients):
        np.add(mine, other, out=mine)
    return total
