"""A run's validation set, which each call evaluates exactly, and when it is evaluated."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any, Callable

import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.count import count_records
from yt8m.data.files.shards import evenly_spaced
from yt8m.errors import UserError
from yt8m.evaluation.evaluate import MeanLoss, Pairs, evaluate, evaluate_reconstruction, timed
from yt8m.losses import registry as losses
from yt8m.metrics.evaluation_metrics import EvaluationMetrics
from yt8m.models.core import registry
from yt8m.models.core.base import Yt8mModel
from yt8m.runs.config import RunConfig
from yt8m.runs.evaluation_records import EvaluationRecords
from yt8m.runs.predictor import Predictor


class Validation(EvaluationRecords):
    """The records of `--eval_data_pattern`, and the metrics of a model on them.

    With --validate_examples they are those of some shards, which do not change during the run: the
    GAPs of a run are compared with one another.

    Args:
      config: the run's settings.
      strategy: the strategy under whose scope the models to validate are created.

    Attributes:
      check: called before each batch; it may raise an exception, which ends the validation.

    Raises:
      UserError: the records do not match the run.
    """

    def __init__(self, config: RunConfig, strategy: tf.distribute.Strategy):
        super().__init__(config, config.training.eval_data_pattern, "--eval_data_pattern")
        self._all_shards = len(self.files)
        self.files = sample(self.files, config.training.validate_examples)
        self._config, self._strategy = config, strategy
        self._loss = losses.get(config.recipe.label_loss)
        self.check: Callable[[], None] = lambda: None
        self._classifies = registry.model_class(config.model.name).task == "classification"

    def predictor(self, model: Yt8mModel) -> Predictor:
        """Return a predictor for `model`; create it once, since it compiles."""
        return Predictor(self._strategy, model, self.batch_size, self._config.training.jit_compile)

    def __call__(self, predictor: Predictor) -> dict[str, Any]:
        """Return the metrics of one pass over the records, with the `seconds` it took."""
        bad = BadRecords(0)
        with bad.explained(self._config.schema.num_classes):
            pairs = self._checked(predictor.over(self.batches(bad)))
            return self.measure(lambda: self._metrics(pairs))

    def measure(self, compute: Callable[[], EvaluationMetrics | MeanLoss]) -> dict[str, Any]:
        """Return the metrics that `compute` finds, with the `seconds` it took.

        Beside those of some shards is recorded that they are.
        """
        chosen, there_are = len(self.files), self._all_shards
        some = {} if chosen == there_are else {"shards": chosen, "of_shards": there_are}
        return {**timed(compute), **some}

    def _metrics(self, pairs: Pairs) -> EvaluationMetrics | MeanLoss:
        if not self._classifies:
            return evaluate_reconstruction(pairs)
        classes, training = self._config.schema.num_classes, self._config.training
        return evaluate(pairs, self._loss, classes, training.top_k)

    def _checked(self, pairs: Pairs) -> Pairs:
        for pair in pairs:
            self.check()
            yield pair

    def score(self, result: dict[str, Any]) -> float:
        """Return the number to maximise: GAP, or minus the loss of a reconstruction."""
        return float(result["gap"] if self._classifies else -result["loss"])


def check(config: RunConfig) -> None:
    """Refuse settings of the validation in a run that has none.

    Raises:
      UserError: names the flag.
    """
    training = config.training
    for name in ("validate_every_minutes", "validate_examples", "patience"):
        value = getattr(training, name)
        if value and not training.eval_data_pattern:
            raise UserError(
                f"--{name}={value:g} needs records to validate on; add --eval_data_pattern, or drop"
                " the flag."
            )


def sample(files: list[str], examples: int) -> list[str]:
    """Return evenly spaced shards with about so many examples in total, or all shards for 0.

    The shards of YouTube-8M are random parts of it, so that some of them stand for all.
    """
    if not examples:
        return files
    records = max(1, count_records(files)[0])
    return evenly_spaced(files, min(len(files), math.ceil(examples * len(files) / records)))


class Pace(tf.Module):
    """When a run validates within its epochs: after so many minutes, counted in steps.

    Minutes differ from machine to machine, and a process that is killed forgets them. So the step
    of the next validation is decided from the speed beforehand and is part of the checkpoint: the
    first one after a quarter of the time, each further one at the validation before it. A run that
    is resumed validates after the steps that were decided, none twice. Nothing is validated in the
    last half of an interval before the end of an epoch, where a validation follows anyway.

    Args:
      minutes: minutes of training between two validations; 0 is never.
      clock: returns the time in seconds.
      any_worker: returns whether any worker's flag is set; every worker must call it.
    """

    def __init__(
        self, minutes: float, clock: Callable[[], float], any_worker: Callable[[bool], bool]
    ):
        super().__init__()
        # Checkpoints hold these variables under the names of the attributes.
        self.next_step = tf.Variable(0, dtype=tf.int64)  # 0: not decided yet
        self.interval = tf.Variable(0, dtype=tf.int64)
        self.best_before_epoch = tf.Variable(-math.inf, dtype=tf.float64)
        self._seconds, self._clock, self._any_worker = 60.0 * minutes, clock, any_worker
        self._first_step = 0
        self._mark: tuple[float, int] | None = None  # since when the speed is measured

    def start(self, step: int) -> None:
        """Begin in this process, after `step` steps of the run."""
        self._first_step, self._mark = step, None

    def due(self, step: int, left_in_epoch: int) -> bool:
        """Return whether to validate, after a step; every worker must ask after the same ones.

        Args:
          step: steps of the run so far.
          left_in_epoch: steps that are left in the epoch.
        """
        if not self._seconds:
            return False
        if self._mark is None:  # after the first step, which compiles
            self._mark = self._clock(), step
        if not int(self.next_step):
            self._decide(self._first_step, self._measured_interval(step))
        return self.is_pending(step, left_in_epoch)

    def is_pending(self, step: int, left_in_epoch: int) -> bool:
        """Return what `due` does for a run that is resumed, before its first step."""
        if not self._seconds:
            return False
        next_step, interval = int(self.next_step), int(self.interval)
        return self._any_worker(0 < next_step <= step and left_in_epoch > interval / 2)

    def steps_until_due(self, step: int) -> float:
        """Return the steps after which a validation is due, if that is decided; it may be inf."""
        left = int(self.next_step) - step
        return left if self._seconds and left > 0 else math.inf

    @contextlib.contextmanager
    def around_validation(self, step: int) -> Iterator[None]:
        """Decide when the next validation follows the one in this context, if it ends normally."""
        interval = self._measured_interval(step)
        yield
        self._decide(step, interval)
        self._mark = self._clock(), step

    def next_epoch(self, best_score: float) -> None:
        """Note the best score with which the next epoch begins."""
        self.best_before_epoch.assign(best_score)

    def _measured_interval(self, step: int) -> int:
        """Return the steps of an interval at the measured speed, or 0 if that is not known yet."""
        if self._mark is None:
            return 0
        since, first = self._mark
        seconds, steps = self._clock() - since, step - first
        is_known = steps > 0 and 4 * seconds >= self._seconds > 0
        return max(1, round(steps * self._seconds / seconds)) if is_known else 0

    def _decide(self, step: int, interval: int) -> None:
        self.interval.assign(interval or self.interval)
        if int(self.interval):
            self.next_step.assign(step + int(self.interval))
