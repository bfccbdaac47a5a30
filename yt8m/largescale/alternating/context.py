"""What every step of the alternation is given, and what each gives back."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from yt8m.largescale.alternating.state import Log
from yt8m.largescale.executors import Executor
from yt8m.runs.alternation_config import AlternationConfig
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import RunFolder
from yt8m.runs.stop_signal import StopSignal
from yt8m.training.validation import Validation


@dataclasses.dataclass
class Context:
    """One alternation in its process.

    Attributes:
      config: the run's settings.
      run: its folder.
      strategy: where this process computes.
      executor: where steps 2 and 3 compute.
      validation: the validation set.
      log: of the run.
      stop: whether the run should stop.
      files: training shards.
    """

    config: RunConfig
    run: RunFolder
    strategy: tf.distribute.Strategy
    executor: Executor
    validation: Validation
    log: Log
    stop: StopSignal
    files: list[str]

    @property
    def settings(self) -> AlternationConfig:
        """The alternation's own settings."""
        return self.config.alternation


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A step's model: its folder in the run, its metrics, and the seconds the step worked for it, validation left out."""

    folder: str
    result: dict[str, Any]
    elapsed: float
