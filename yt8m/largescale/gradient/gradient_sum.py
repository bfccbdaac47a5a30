"""Sums over examples that travel from the tasks to the trainer; NumPy alone, so that a worker that adds starts fast.

Tasks return float32: half the bytes, and what a gradient is computed in. Totals are float64, where sums of float32
numbers keep their digits; they are taken in the order of the tasks all the same (spec D.7).
"""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass
class GradientSum:
    """Sums over some examples.

    Attributes:
      loss: of the examples' losses, without regularisation.
      num_examples: how many there were.
      num_broken: records skipped as broken.
      gradients: of the examples' gradients, an array for each variable; float32 from a task, float64 in totals.
    """

    loss: float
    num_examples: int
    num_broken: int
    gradients: list[np.ndarray]


def add_sums(total: GradientSum | None, part: GradientSum) -> GradientSum:
    """Add `part` to `total` in place (None begins a new one); see `yt8m.largescale.executors.base.Combine`."""
    if total is None:
        return dataclasses.replace(part, gradients=[g.astype(np.float64) for g in part.gradients])
    total.loss += part.loss
    total.num_examples += part.num_examples
    total.num_broken += part.num_broken
    for mine, other in zip(total.gradients, part.gradients):
        np.add(mine, other, out=mine)
    return total
