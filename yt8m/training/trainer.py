"""The joint trainer: all weights of a model are trained together on mini-batches."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from yt8m.data.files.bad_records import BadRecords
from yt8m.data.files.cache import open_cache
from yt8m.data.files.shards import find_shards
from yt8m.errors import UserError
from yt8m.losses.class_weights import class_weights
from yt8m.runs.config import RunConfig
from yt8m.runs.devices.strategy import make_strategy
from yt8m.runs.devices.used import UsedDevices
from yt8m.runs.devices.workers import any_worker, is_chief
from yt8m.runs.folder import RunFolder
from yt8m.runs.open import keep_settings, open_run
from yt8m.runs.progress import Progress
from yt8m.runs.stop_signal import Stopped, StopSignal, StopVote
from yt8m.training import label_experiments
from yt8m.training.checkpoints import TrainState, make_checkpoints
from yt8m.training.epochs import Epochs
from yt8m.training.input_statistics import standardize_inputs
from yt8m.training.keep_best import ModelKeeper
from yt8m.training.priors import starting_priors
from yt8m.training.schedule import extension
from yt8m.training.schedule.course import Course
from yt8m.training.start.check_replicas import check_replicas
from yt8m.training.start.first_lines import first_lines
from yt8m.training.step import make_step
from yt8m.training.step_report import StepReport
from yt8m.training.training_data import TrainingData, counts_of
from yt8m.training.validation import Pace, Validation, check
from yt8m.training.warm_start.initial_weights import initialize
from yt8m.training.window.weights import make_window


def train(
    config: RunConfig,
    train_dir: str,
    start_new_model: bool = False,
    strategy: tf.distribute.Strategy | None = None,
) -> None:
    """Begin or resume the run in `train_dir`, and train it to its end.

    Args:
      config: the run's settings.
      train_dir: the run's folder.
      start_new_model: delete an earlier run there first.
      strategy: where to compute, if it is made already.

    Raises:
      UserError: the folder contains a run with other settings, the data do not match, or the loss
        diverged.
      Stopped: a signal was received, or the session's time was over; the run is saved, and the same
        call resumes it.
    """
    check(config)
    extension.check(config.session)
    config, run, finished = open_run(config, train_dir, start_new_model, strategy)
    if not finished:
        trainer = Trainer(config, run, strategy)
        with trainer.progress.ended():
            trainer.train()


class Trainer:
    """One joint training run in one process.

    Args:
      config: the run's settings.
      run: the run's folder.
      strategy: where to compute; None makes the one that the settings name.

    Raises:
      UserError: the settings do not match the data or the machine.
    """

    def __init__(
        self, config: RunConfig, run: RunFolder, strategy: tf.distribute.Strategy | None = None
    ):
        self.run = run
        t = config.training
        self.files = find_shards(t.train_data_pattern, "--train_data_pattern")
        self.strategy = strategy or make_strategy(t.strategy, t.num_gpu)
        self.devices = UsedDevices.of(self.strategy)
        check_replicas(config, self.strategy.num_replicas_in_sync)
        label_experiments.check(config)
        self.chief = is_chief(self.strategy)
        tf.keras.utils.set_random_seed(t.seed)
        self.course = Course(config, self.files)
        self.progress = Progress(run, self.chief, t.progress_seconds, self.course.length.unit)
        self.step = make_step(config, self.strategy, self.course.schedule)
        self.state = TrainState()
        vote = any_worker(self.strategy)
        self.pace = Pace(t.validate_every_minutes, config.session.clock, vote)
        self.checkpoints = make_checkpoints(config, run, self.step, self.state, self.pace)
        self.counts = counts_of(run, self.strategy)
        self.bad = BadRecords(t.max_bad_records)
        self.stop = StopVote(StopSignal(config.session), vote)
        near_the_end = self.stop.received.deadline.is_near
        self.cache = open_cache(t.cache, t.cache_dir, t.cache_gb, self.files, near_the_end)
        # Opened before the first step: records that do not fit would show only after an epoch.
        validation = Validation(config, self.strategy) if t.eval_data_pattern else None
        if validation is not None:
            validation.check = self.stop.raise_if_set
        self.models = ModelKeeper(
            run,
            self.step,
            self.state,
            validation,
            self.progress,
            t.min_gain,
            self.course,
            make_window(config, run, self.step.model, self.strategy),
        )
        self._report = StepReport(config, self.step, self.state, self.progress, self.course)
        self._config_is_kept = False

    @property
    def config(self) -> RunConfig:
        """The run's settings, with what has become of its length by now."""
        return self.course.config

    def train(self) -> None:
        """Train to the end.

        Raises:
          Stopped: a signal was received, or the session's time is over; the run is saved.
          UserError: the data do not match, or the loss diverged.
        """
        self.begin()
        with self._running():
            epochs = self._epochs()
            while not epochs.are_over():
                with self._saved_if_stopped():
                    self._take_steps(epochs)
                    self.stop.raise_if_set()
                    self._validate()
                self.state.next_epoch(self.models.gained(float(self.pace.best_before_epoch)))
                self.pace.next_epoch(float(self.state.best_score))
                self._save()
                if self._is_out_of_patience():
                    break
            if self.config.training.average_checkpoints:
                with self._saved_if_stopped():
                    self.models.judge_mean()
                self._save()
            self._end()

    def _take_steps(self, epochs: Epochs) -> None:
        """Take the steps of the rest of an epoch, and validate within it where that is due."""
        last = None
        if self.pace.is_pending(self.step.done(), epochs.left_in_epoch()):
            self._validate_within_epoch()
        for last in epochs.steps():
            self._keep_config()
            if self.progress.due():
                self._report(last)
            if self.pace.due(self.step.done(), epochs.left_in_epoch()):
                self._report(last)
                self._validate_within_epoch()
            elif self.checkpoints.due(self.step.done()) or self._time_saving():
                self._save()
        if last is not None:
            self._report(last)
        if epochs.data_ended:
            self._correct_length()
            if finding := epochs.finding():
                self.progress.say(finding)

    def _correct_length(self) -> None:
        """Take the length of the epoch that has ended, if until now it was an estimate."""
        batches = int(self.state.examples_in_epoch) // self.config.recipe.batch_size
        before = self.config
        line = self.course.count(batches, self.step.done())
        if line is not None:
            self.progress.say(line)
            self.step.trace_again()
        if self.config != before:
            self._config_is_kept = False
            self._keep_config()

    def _time_saving(self) -> bool:
        """Return whether to save only to know how long that takes, for the end of the session."""
        return self.stop.received.deadline.wants_a_saving

    def begin(self) -> None:
        """Resume from the last checkpoint, or start from the label priors and --init_from."""
        resumed = self.checkpoints.restore()
        self.progress.goes_on_after(self.step.done() if resumed else -1)
        self.progress.say("\n".join(first_lines(self.config, self.step)))
        if resumed:
            if self.run.exists():
                line = self.course.resume(self.run.load_config(), self.step.done())
                if line is not None:
                    self.progress.say(line)
            epoch = int(self.state.epoch) + 1
            self.progress.say(f"resumed at step {self.step.done():,}, epoch {epoch}")
            self.progress.event("resumed", step=self.step.done(), devices=str(self.devices))
            if self.checkpoints.is_old:
                self.pace.next_epoch(float(self.state.best_score))
        else:
            self._start()
        self.progress.start(self.step.done() * self.config.recipe.batch_size)
        self.pace.start(self.step.done())
        power = self.config.training.label_weight_power
        if power:
            self.step.class_weights = class_weights(self._priors(), power)

    def _start(self) -> None:
        self.course.start()
        if self.run.exists():
            self.progress.say(
                f"{self.run.path} contains a run without a checkpoint: it starts over at step 0"
            )
        elif self.chief:
            self.run.remove_starting_values()  # A refused command left them.
        model = self.step.model
        if model.task == "classification":
            model.initialize_from_priors(self._priors())
        say = self.progress.say
        standardize_inputs(model, self.config, self.run, self.files, say, self.chief)
        initialize(model, self.config, self.run, say)
        self.step.average.reset()
        self.progress.event("started", step=0, devices=str(self.devices))

    def _priors(self) -> np.ndarray:
        return starting_priors(self.config, self.run, self.files, self.progress.say, self.chief)

    @contextlib.contextmanager
    def _running(self) -> Iterator[None]:
        """Handle signals, explain broken records, and close what was opened."""
        try:
            with self.stop.received, self.bad.explained(self.config.schema.num_classes):
                yield
        finally:
            self.progress.close()
            self.checkpoints.close()
            if self.cache is not None:
                self.cache.close()

    def _epochs(self) -> Epochs:
        t = self.config.training
        cache = self.cache
        experiments = label_experiments.prepare_experiments(
            self.config,
            self.run,
            self.files,
            self.bad,
            cache,
            self.chief,
            self.progress.say,
            self._priors,
        )
        data = TrainingData(
            self.config, self.files, self.strategy, self.bad, cache, experiments, self.counts
        )

        def until_due(done: int) -> float:
            steps = self.checkpoints.steps_until_due(done)
            if data.num_workers > 1:  # They measure unlike speeds, but must take the same steps.
                return steps
            return min(steps, self.pace.steps_until_due(done))

        return Epochs(
            self.config,
            self.course,
            self.step,
            self.state,
            data,
            self.stop,
            self.devices.steps_per_call(t.steps_per_call),
            until_due,
        )

    def _keep_config(self) -> None:
        """Write the settings once they have worked: a refused command must not block the next."""
        if self._config_is_kept:
            return
        if self.chief and not (self.run.exists() and self.run.load_config() == self.config):
            self.run.set_going_on()  # First: a run that is done with its new length never resumes.
            keep_settings(self.run, self.config)
        self._config_is_kept = True

    def _save(self) -> None:
        self._report.check_finite()
        with self.stop.received.deadline.saving():
            # First: a checkpoint needs the counts of all shards that were read before it.
            self.counts.save((int(self.state.epoch), int(self.state.examples_in_epoch)))
            self.checkpoints.save(self.step.done())
            # Before the first validation, it is all that a killed run leaves to evaluate.
            self.models.keep_last()

    def _validate(self, within_epoch: bool = False) -> None:
        """Validate; if that fails, a resumed run begins with this validation."""
        try:
            with self.pace.around_validation(self.step.done()):
                self.models.validate(within_epoch)
        except UserError:
            self._save()
            raise

    def _validate_within_epoch(self) -> None:
        self._validate(within_epoch=True)
        self._save()  # so that a run that is killed does not validate this step again
        self.progress.start(self.step.done() * self.config.recipe.batch_size)

    def _is_out_of_patience(self) -> bool:
        patience = self.config.training.patience
        if not patience or int(self.state.epochs_without_gain) < patience:
            return False
        name = self.models.score_name
        self.progress.say(f"no better {name} for {patience} epochs: stopped early")
        return True

    @contextlib.contextmanager
    def _saved_if_stopped(self) -> Iterator[None]:
        try:
            yield
        except Stopped as stopped:
            self._save()
            step = self.step.done()
            self.progress.say(
                f"stopped {stopped.why} at step {step:,}; the same command resumes the run"
            )
            self.progress.event("stopped", step=step)
            raise

    def _end(self) -> None:
        self._keep_config()
        self.models.keep_last()
        if not self.chief:
            return
        if self.bad.summary():
            self.progress.say(self.bad.summary())
        self.run.set_done()
        step, name, best = self.step.done(), self.models.score_name, self.models.best()
        found = {} if best is None else {f"best_{name.lower()}": best}
        self.progress.event("done", step=step, **found)
        which = "not validated" if best is None else f"best {name} {best:.4f}"
        self.progress.say(f"done after {step:,} steps, {which}; the run is in {self.run.path}")
