"""The phases of a run whose length changes: where its learning rate goes on, and how.

With x steps done, a schedule s that starts at 1 (a cosine, an exponential or a constant, over the
examples since its start), the base rate η and the new length of the whole run, T steps:

    stretch    the schedule that the run follows, as if it had been made for T steps
    restart    η · s, from here to T
    constant   from here to T the rate that the run has here, but no less than η / 10

`--extend_learning_rate` replaces η of a restart, and the rate of a constant. A warm-up goes on
counting from the beginning of the run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from yt8m.errors import UserError
from yt8m.models.core.recipe import Recipe
from yt8m.runs.config import RunConfig
from yt8m.runs.settings.phases import Extension, Phase
from yt8m.runs.settings.session import Session
from yt8m.training.schedule.examples_schedule import make_schedule

# The least rate that "constant" holds: a cosine that has ended is at zero.
LEAST = 0.1


def check(session: Session) -> None:
    """Refuse a rate for an extension that has none.

    Raises:
      UserError: names the flag.
    """
    if session.extend_learning_rate and session.extend not in ("restart", "constant"):
        raise UserError(
            f"--extend_learning_rate={session.extend_learning_rate:g} is for --extend=restart and"
            " --extend=constant; add one of them, or drop it."
        )


def begun(recipe: Recipe, steps: int) -> Phase:
    """Return the phase with which every run begins."""
    return Phase("begun", 0, steps, 0, recipe.base_learning_rate)


def extended(
    recipe: Recipe, phases: Sequence[Phase], step: int, steps: int, how: Extension, rate: float = 0
) -> tuple[Phase, ...]:
    """Return the phases of a run that is given another length.

    Args:
      recipe: the run's recipe.
      phases: those so far, at least one.
      step: steps done.
      steps: the new number of steps of the whole run.
      how: how the learning rate goes on.
      rate: that of a restart or a constant; 0 is the default.
    """
    # A checkpoint older than the last one may be resumed: what came after it is not repeated.
    kept = tuple(phase for phase in phases if phase.from_step < step)
    if how == "stretch":
        return *kept, dataclasses.replace(phases[-1], why="stretch", from_step=step, steps=steps)
    base = recipe.base_learning_rate
    if how == "restart":
        return *kept, Phase("restart", step, steps, step, rate or base)
    here = float(make_schedule(recipe, 0, phases).after_warmup(step))
    return *kept, Phase("constant", step, steps, step, rate or max(here, LEAST * base), holds=True)


def counted(phases: Sequence[Phase], step: int, steps: int) -> tuple[Phase, ...]:
    """Return the phases of a run whose number of steps, until now an estimate, is known."""
    return *phases, dataclasses.replace(phases[-1], why="counted", from_step=step, steps=steps)


def check_unchanged(config: RunConfig) -> str | None:
    """Return a line about an --extend that has nothing to extend, or None.

    Raises:
      UserError: it contradicts how the run was extended.
    """
    session = config.session
    if session.extend is None:
        return None
    done = [phase for phase in config.phases if phase.why not in ("begun", "counted")]
    if not done:
        return f"--extend={session.extend} has no effect, because the length of the run is the same"
    last, asked = done[-1], session.extend_learning_rate
    if last.why != session.extend or (asked and asked != last.rate):
        rate = "" if last.why == "stretch" else f" with the rate {last.rate:g}"
        raise UserError(
            f"--extend={session.extend}: this run was extended by {last.why}{rate} at step"
            f" {last.from_step:,}, which cannot be changed later. Drop --extend to resume it; it"
            " decides only where --num_epochs or --max_steps changes."
        )
    return None
