"""The objects that every step of the alternation uses."""

from __future__ import annotations

import dataclasses
import functools

import tensorflow as tf

from yt8m.largescale.alternating.log import Log
from yt8m.largescale.executors import Executor
from yt8m.largescale.validation.spread import SpreadValidation
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import RunFolder
from yt8m.runs.settings.alternation import AlternationConfig
from yt8m.runs.stop_signal import StopSignal
from yt8m.training.validation import Validation


@dataclasses.dataclass
class Context:
    """The context of one alternation in its process.

    Attributes:
      config: the run's settings.
      run: its folder.
      strategy: the strategy of this process.
      executor: the executor of steps 2 and 3, and of their validations.
      validation: the validation set.
      log: the run's log.
      stop: returns whether a signal to stop was received.
      files: the training shards.
    """

    config: RunConfig
    run: RunFolder
    strategy: tf.distribute.Strategy
    executor: Executor
    validation: Validation
    log: Log
    stop: StopSignal
    files: list[str]

    @functools.cached_property
    def validate(self) -> SpreadValidation:
        """The validation of models on the executor's workers."""
        task_bytes = int(self.settings.task_mb * 2**20)
        return SpreadValidation(self.executor, self.validation, self.config, task_bytes)

    @property
    def settings(self) -> AlternationConfig:
        """The alternation's own settings."""
        return alternation_of(self.config)


def alternation_of(config: RunConfig) -> AlternationConfig:
    """Return the settings of an alternating run's alternation."""
    assert config.alternation is not None, "the run is not an alternating one"
    return config.alternation
