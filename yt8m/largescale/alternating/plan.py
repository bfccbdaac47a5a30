"""Which step comes next, and when a step has gone on for long enough: pure functions of the GAPs seen so far."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from yt8m.runs.alternation_config import AlternationConfig


class Step(NamedTuple):
    """A step of the alternation: its number, 1 to 3, and in which cycle of steps 2 and 3 it lies (step 1: 0)."""

    number: int
    cycle: int

    @property
    def name(self) -> str:
        """`step1`, `cycle1_step2` and so on; the folder of what the step keeps."""
        return f"step{self.number}" if self.number == 1 else f"cycle{self.cycle}_step{self.number}"


@dataclasses.dataclass(frozen=True)
class Done:
    """A finished step and the validation GAP of the model that it hands on."""

    number: int
    cycle: int
    gap: float


def next_step(config: AlternationConfig, done: Sequence[Done]) -> Step | None:
    """Return the step that follows those that are done, or None at the end (KDD §4.1; spec D.5).

    "full" repeats steps 2 and 3 until a cycle gains less than `min_cycle_gain` over the one before it (the first,
    over step 1), or `max_cycles` are done; the other variants are fixed sequences.
    """
    fixed = {
        "baseline": [Step(1, 0)],
        "rprop": [Step(1, 0), Step(3, 1)],
        "large_moe": [Step(1, 0), Step(2, 1)],
    }
    if config.alternation in fixed:
        steps = fixed[config.alternation]
        return steps[len(done)] if len(done) < len(steps) else None
    if not done:
        return Step(1, 0)
    last = done[-1]
    if last.number == 2:
        return Step(3, last.cycle)
    if last.number == 3:
        before = done[-3].gap  # of the model with which this cycle began
        if last.cycle >= config.max_cycles or last.gap - before < config.min_cycle_gain:
            return None
    return Step(2, last.cycle + 1) if config.max_cycles else None


def is_over(gaps: Sequence[float], patience: int, limit: int, min_gain: float = 0.0) -> bool:
    """Whether a step that has seen these validation GAPs, the first before it moved, should end.

    Args:
      gaps: of the start and of each epoch or iteration since.
      patience: epochs or iterations without a gain over the best of all before them; 0 is no limit.
      limit: epochs or iterations at most.
      min_gain: a gain must be larger than this.
    """
    moves = len(gaps) - 1
    return moves >= limit or (patience > 0 and since_gain(gaps, min_gain) >= patience)


def since_gain(gaps: Sequence[float], min_gain: float = 0.0) -> int:
    """Return how many of the last GAPs brought no gain of more than `min_gain` over the best before."""
    best, since = float("-inf"), 0
    for gap in gaps:
        since = 0 if gap > best + min_gain else since + 1
        best = max(best, gap)
    return since


def best_index(gaps: list[float]) -> int:
    """Return the index of the highest GAP, the first of equals."""
    return max(range(len(gaps)), key=lambda i: (gaps[i], -i))
