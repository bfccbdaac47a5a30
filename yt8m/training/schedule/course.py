"""The course of a run: its length and its learning rates, and what is said when they change."""

from __future__ import annotations

import dataclasses

from yt8m.runs.config import RunConfig
from yt8m.runs.settings.phases import Extension, Phase
from yt8m.training.schedule import extension
from yt8m.training.schedule.examples_schedule import make_schedule
from yt8m.training.schedule.length import BATCHES, ESTIMATED, RunLength


class Course:
    """A run's length and learning rates.

    Args:
      config: the run's settings, with the phases that it has recorded.
      files: the training shards.

    Attributes:
      config: the settings, with the phases of now; they are to be stored.
      length: the run's length.
      schedule: the learning rate of each step, which the optimizer has.
    """

    def __init__(self, config: RunConfig, files: list[str]):
        self._files = files
        self.config, self.length = config, RunLength.of(config, files)
        self.schedule = make_schedule(config.recipe, self.length.examples, config.phases)

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.length.steps(self.config)

    def start(self) -> None:
        """Begin with the first step, without what an earlier attempt has recorded."""
        self._follow(())

    def resume(self, before: RunConfig, step: int) -> str | None:
        """Extend the run if it was given another length; return a line that says what changes.

        Args:
          before: the settings that the run has stored.
          step: steps done.

        Raises:
          UserError: --extend contradicts how the run was extended.
        """
        was_asked, asked = (
            (c.recipe.num_epochs, c.training.max_steps) for c in (before, self.config)
        )
        if was_asked == asked:  # The records need not be counted.
            return extension.check_unchanged(self.config)
        planned = RunLength.of(before, self._files).steps(before)
        phases = self.config.phases or (extension.begun(self.config.recipe, planned),)
        if self.steps in (planned, phases[-1].steps) or self.steps <= step:
            return None
        session = self.config.session
        how: Extension = session.extend or "stretch"
        rates = {each: self._rate(self._extended(phases, step, each), step) for each in _WAYS}
        was = self._rate(phases, step)
        self._follow(self._extended(phases, step, how))
        others = ", ".join(f"{rates[each]:.3g} by {each}" for each in _WAYS if each != how)
        return (
            f"the run now has {self.steps:,} steps, not {planned:,}; --extend={how}: the learning"
            f" rate of the next step is {rates[how]:.3g}, not {was:.3g} ({others}; the base rate"
            f" is {self.config.recipe.base_learning_rate:.3g})"
        )

    def count(self, batches: int, step: int) -> str | None:
        """Correct an estimated length by an epoch that has ended; return a line that says it.

        Args:
          batches: the whole batches of the epoch.
          step: steps done.

        Returns:
          The line, or None if nothing changes.
        """
        facts = self.config.facts
        if not facts.get(ESTIMATED) or BATCHES in facts:
            return None
        recipe, planned = self.config.recipe, self.steps
        estimate = self.length.epoch_examples // recipe.batch_size
        self.config = dataclasses.replace(self.config, facts={**facts, BATCHES: batches})
        self.length = RunLength.of(self.config, self._files)
        if self.steps == planned:
            return None
        phases = self.config.phases or (extension.begun(recipe, planned),)
        self._follow(extension.counted(phases, step, self.steps))
        return (
            f"an epoch has {batches:,} batches, where {estimate:,} were estimated: the run has"
            f" {self.steps:,} steps, not {planned:,}, and its learning rate follows"
        )

    def _extended(self, phases: tuple[Phase, ...], step: int, how: Extension) -> tuple[Phase, ...]:
        session, recipe = self.config.session, self.config.recipe
        rate = session.extend_learning_rate if how == session.extend else 0.0
        return extension.extended(recipe, phases, step, self.steps, how, rate)

    def _rate(self, phases: tuple[Phase, ...], step: int) -> float:
        return float(make_schedule(self.config.recipe, 0, phases)(step))

    def _follow(self, phases: tuple[Phase, ...]) -> None:
        self.config = dataclasses.replace(self.config, phases=phases)
        self.schedule.total_examples, self.schedule.phases = self.length.examples, phases


_WAYS: tuple[Extension, ...] = ("stretch", "restart", "constant")
