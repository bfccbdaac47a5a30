"""The steps of an alternation and when each ends, as functions of only the validation GAPs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable, NamedTuple

from yt8m.runs.folder import ALTERNATION, BEST
from yt8m.runs.settings.alternation import AlternationConfig


class Step(NamedTuple):
    """A step of the alternation.

    Attributes:
      number: 1 to 3.
      cycle: the cycle of steps 2 and 3 that it belongs to, from 1; 0 for step 1.
    """

    number: int
    cycle: int

    @property
    def name(self) -> str:
        """`step1`, `cycle1_step2` and so on."""
        return f"step{self.number}" if self.number == 1 else f"cycle{self.cycle}_step{self.number}"

    @property
    def folder(self) -> str:
        """The folder of the step's files, relative to the run's folder."""
        return self.name if self.number == 1 else f"{ALTERNATION}/{self.name}"

    @property
    def best(self) -> str:
        """The folder of the step's model, relative to the run's folder."""
        return f"{self.folder}/{BEST}"


def take_steps(config: AlternationConfig, once: Callable[[Step], float]) -> None:
    """Take the steps of an alternation in order.

    Source: KDD §4.1, docs/sources.md#alternation and docs/sources.md#stopping-rules.

    "full" repeats steps 2 and 3 until a cycle gains less than `min_cycle_gain` over the one before
    it (the first cycle: over step 1), or until `max_cycles` are done. The other variants are fixed.

    Args:
      config: the settings.
      once: takes a step, unless an earlier process has finished it, and returns the validation GAP
        of the model that it passes on.
    """
    gap = once(Step(1, 0))
    if config.alternation == "rprop":
        once(Step(3, 1))
    elif config.alternation == "large_moe":
        once(Step(2, 1))
    elif config.alternation == "full":
        for cycle in range(1, config.max_cycles + 1):
            before = gap
            once(Step(2, cycle))
            gap = once(Step(3, cycle))
            if gap - before < config.min_cycle_gain:
                break


def is_over(gaps: Sequence[float], patience: int, limit: int, min_gain: float = 0.0) -> bool:
    """Whether a step with these validation GAPs should end.

    Args:
      gaps: the GAP at the start, and after each epoch or iteration since.
      patience: the epochs or iterations without a gain over the best of all before them; 0 is no
        limit.
      limit: the most epochs or iterations.
      min_gain: a gain must be larger than this.
    """
    moves = len(gaps) - 1
    return moves >= limit or (patience > 0 and since_gain(gaps, min_gain) >= patience)


def since_gain(gaps: Sequence[float], min_gain: float = 0.0) -> int:
    """Return how many of the last GAPs gained no more than `min_gain` over the best before."""
    best, since = float("-inf"), 0
    for gap in gaps:
        since = 0 if gap > best + min_gain else since + 1
        best = max(best, gap)
    return since


def best_index(gaps: Sequence[float]) -> int:
    """Return the index of the highest GAP; the first wins ties."""
    return max(range(len(gaps)), key=lambda i: (gaps[i], -i))
