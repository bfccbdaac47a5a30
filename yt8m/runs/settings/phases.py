"""What a run's learning rate follows, one phase after another, kept in `config.json`.

A run begins with its recipe's schedule. Where its length changes, a phase begins that says how the
rate continues. It is stored with the run, so that a resumed run repeats every rate exactly.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

Extension = Literal["stretch", "restart", "constant"]


@dataclasses.dataclass(frozen=True)
class Phase:
    """A part of a run with one formula for its learning rate.

    Attributes:
      why: "begun", how the run was extended, or "counted" for a length that was an estimate.
      from_step: steps of the run before the first step of the phase.
      steps: steps of the whole run, by which a cosine comes to zero.
      start_step: the step at which the schedule begins, which may precede the phase.
      rate: the learning rate with which it begins.
      holds: whether the rate stays the same instead of following the recipe's schedule.
    """

    why: Literal["begun", "counted", "stretch", "restart", "constant"]
    from_step: int
    steps: int
    start_step: int
    rate: float
    holds: bool = False
