"""The story of a training run: begin or resume, epoch by epoch step and validate, keep the best, end."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
import time
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m.data.files.bad_records import PARSE_ERRORS, BadRecords
from yt8m.data.files.cache import RecordCache
from yt8m.data.files.count import count_records
from yt8m.data.files.shards import find_shards
from yt8m.data.pipeline import build_dataset, whole_rounds
from yt8m.data.records.check import leave_out_unparsable
from yt8m.data.records.ratings import segments_a_record
from yt8m.data.records.sampling import FrameSampling
from yt8m.errors import UserError, look_for_nan
from yt8m.losses import registry as loss_registry
from yt8m.losses.class_weights import class_weights
from yt8m.metrics.batch_metrics import batch_metrics
from yt8m.runs.build import make_model
from yt8m.runs.config import CONFIG_FILE, RunConfig, check_same_keras, check_same_run
from yt8m.runs.folder import BEST, RunFolder, save_weights
from yt8m.runs.predictor import Predictor
from yt8m.runs.progress import Progress
from yt8m.runs.stop_signal import Stopped
from yt8m.runs.strategy import any_worker, is_chief, make_strategy, worker_of
from yt8m.training.checkpoints import Checkpoints, TrainState
from yt8m.training.initial_weights import initialize
from yt8m.training.label_experiments import LabelExperiments
from yt8m.training.optimizers import make_optimizer, make_schedule, prepare
from yt8m.training.starting_priors import starting_priors
from yt8m.training.step import TrainStep
from yt8m.training.validation import Validation
from yt8m.training.weight_average import WeightAverage


class Trainer:
    """One run in one process; `train()` does it all.

    Args:
      config: the run's settings.
      run: its folder.
      strategy: where to compute; None makes the one that the settings name.
    """

    def __init__(
        self, config: RunConfig, run: RunFolder, strategy: tf.distribute.Strategy | None = None
    ):
        self.config, self.run = config, run
        t, recipe = config.training, config.recipe
        self.files = find_shards(t.train_data_pattern, "--train_data_pattern")
        self.strategy = strategy or make_strategy(
            t.strategy, t.num_gpu, [*self.files[:1], run.path]
        )
        self.chief = is_chief(self.strategy)
        self.worker = worker_of(self.strategy)
        replicas = self.strategy.num_replicas_in_sync
        if recipe.batch_size % replicas:
            raise UserError(
                f"--batch_size={recipe.batch_size} does not divide by the {replicas} replicas of --strategy={t.strategy}."
            )
        if t.jit_compile and replicas > 1:
            raise UserError(
                f"--jit_compile works on one replica, and --strategy={t.strategy} has {replicas}; drop it (a TPU compiles anyway)."
            )
        tf.keras.utils.set_random_seed(t.seed)
        tf.keras.mixed_precision.set_global_policy(
            "mixed_bfloat16" if t.dtype == "bfloat16" else "float32"
        )
        self.what = "segments" if config.schema.segment_labels else "videos"
        self.progress = Progress(run, self.chief, t.progress_seconds, self.what)
        self.epoch_examples = self._count()
        self.loss = loss_registry.get(recipe.label_loss)
        with self.strategy.scope():
            self.model = make_model(config)
            self.average = WeightAverage(self.model.trainable_variables, recipe.weight_average)
            self.schedule = make_schedule(recipe, self._total_examples())
            self.optimizer = make_optimizer(recipe, self._total_examples())
            prepare(self.optimizer, self.model.trainable_variables)
            self.step = TrainStep(
                self.strategy,
                self.model,
                self.loss,
                self.optimizer,
                self.average,
                recipe,
                t.regularization_penalty,
                t.jit_compile,
            )
        self.state = TrainState()
        self.checkpoints = Checkpoints(
            run,
            {
                "model": self.model,
                "optimizer": self.optimizer,
                "average": self.average,
                "step": self.step.step,
                "state": self.state,
            },
            keep=t.keep_checkpoints,
            every_seconds=60.0 * t.checkpoint_minutes,
            every_steps=t.export_model_steps,
            chief=self.chief,
        )
        self.bad = BadRecords(t.max_bad_records)
        self.cache = RecordCache(t.cache) if t.cache else None
        self.experiments = LabelExperiments(
            config, run, self.files, self.bad, self.cache, self.chief, self.progress.say
        )
        self.stop_signal: int | None = None  # what this process was asked
        self._any_worker = any_worker(self.strategy)
        self._stop: int | None = None  # what all have agreed on
        # Made before the first step: records that do not fit would be found out after an epoch.
        self._validation = Validation(config, self.strategy) if t.eval_data_pattern else None
        self._predictor: Predictor | None = None
        self._begun = False  # whether config.json is there and right

    def _count(self) -> int:
        """Return the examples of an epoch: records, or about as many segments as they have."""
        facts = self.config.facts
        records = int(facts["records"]) if "records" in facts else count_records(self.files)[0]
        return (
            round(records * segments_a_record(self.files))
            if self.config.schema.segment_labels
            else records
        )

    def _total_examples(self) -> int:
        recipe, t = self.config.recipe, self.config.training
        total = recipe.num_epochs * (self.epoch_examples // recipe.batch_size) * recipe.batch_size
        return min(total, t.max_steps * recipe.batch_size) if t.max_steps else total

    def begin(self) -> None:
        """Resume from the last checkpoint, or start from the label priors and the run that --init_from names."""
        if self.checkpoints.restore():
            self.progress.say(
                f"resumed at step {self.step.done():,}, epoch {int(self.state.epoch) + 1}"
            )
            self.progress.event("resumed", step=self.step.done())
            return
        if self.chief and not self.run.exists():
            self.run.remove_priors()  # of an attempt that came to nothing, perhaps on other data
        if self.model.task == "classification":
            self.model.initialize_from_priors(self._priors())
        initialize(self.model, self.config, self.progress.say)
        self.average.reset()
        self.progress.event("started", step=0)

    def _keep_config(self) -> None:
        """Put the settings down. Only once they have worked: a refused attempt must not stand in the way of the next."""
        if (
            self.chief
            and not self._begun
            and not (self.run.exists() and self.run.load_config() == self.config)
        ):
            self.run.write_text(CONFIG_FILE, self.config.to_json())
        self._begun = True

    def _priors(self) -> np.ndarray:
        return starting_priors(self.config, self.run, self.files, self.progress.say, self.chief)

    def train(self) -> None:
        """Train to the end.

        Raises:
          Stopped: a signal came; the run is saved.
        """
        recipe, t = self.config.recipe, self.config.training
        self.begin()
        if t.label_weight_power:
            self.step.class_weights = class_weights(self._priors(), t.label_weight_power)
        previous = {s: signal.signal(s, self._on_signal) for s in (signal.SIGTERM, signal.SIGINT)}
        try:
            with self.bad.explained(self.config.schema.num_classes):
                while int(self.state.epoch) < recipe.num_epochs and not self._out_of_steps():
                    self._train_epoch(int(self.state.epoch))
                    if self._asked_to_stop():
                        self._save()
                        self.progress.say(
                            f"stopped by a signal at step {self.step.done():,}; the same command resumes"
                        )
                        self.progress.event("stopped", step=self.step.done())
                        raise Stopped(int(self._stop or signal.SIGTERM))
                    gained = self._validated()
                    self.state.epoch.assign_add(1)
                    self.state.examples_in_epoch.assign(0)
                    self.state.epochs_without_gain.assign(
                        0 if gained else self.state.epochs_without_gain + 1
                    )
                    self._save()
                    if t.patience and int(self.state.epochs_without_gain) >= t.patience:
                        self.progress.say(
                            f"no better {self._score_name} for {t.patience} epochs: stopped early"
                        )
                        break
            self._end()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            self.progress.close()
            self.checkpoints.close()

    @property
    def _score_name(self) -> str:
        return "GAP" if self.model.task == "classification" else "loss"

    def _out_of_steps(self) -> bool:
        limit = self.config.training.max_steps
        return bool(limit) and self.step.done() >= limit

    def _on_signal(self, number: int, _: Any) -> None:
        if self.stop_signal is not None:  # asked twice: at once
            raise KeyboardInterrupt
        self.stop_signal = number

    def _asked_to_stop(self) -> bool:
        """Whether to stop here. Signals reach workers at different steps; one that left alone would end the others within a step."""
        if self._stop is None and self._any_worker(self.stop_signal is not None):
            self._stop = self.stop_signal or signal.SIGTERM
        return self._stop is not None

    def _dataset(self, epoch: int) -> Any:
        recipe, t = self.config.recipe, self.config.training
        replicas = self.strategy.num_replicas_in_sync
        sampling = (
            FrameSampling(recipe.frame_sampling, recipe.train_frames)
            if recipe.train_frames
            else FrameSampling()
        )

        def of_worker(context: Any) -> tf.data.Dataset:
            index, count = self.worker
            dataset = build_dataset(
                self.files,
                self.config.schema,
                batch_size=recipe.batch_size // replicas,
                training=True,
                seed=t.seed,
                epoch=epoch,
                skip_examples=int(self.state.examples_in_epoch) // count,
                sampling=sampling,
                num_readers=t.num_readers,
                shuffle_buffer=t.shuffle_buffer,
                cache=self.cache,
                bad_records=self.bad,
                worker=(index, count),
                balanced=self.experiments.balanced(),
            )
            dataset = self.experiments.noisy(dataset)
            # Strings cannot travel to a TPU, and no step needs the ids.
            dataset = dataset.map(lambda batch: {k: v for k, v in batch.items() if k != "id"})
            if replicas > 1 and isinstance(self.strategy, tf.distribute.TPUStrategy):
                dataset = whole_rounds(dataset, replicas)
            # Workers must step together, though their shards differ in size.
            return dataset.repeat() if count > 1 else dataset

        return iter(self.strategy.distribute_datasets_from_function(of_worker))

    def _steps_left(self) -> float:
        """Steps until the epoch or the run must end, where that is known beforehand."""
        left = math.inf
        if self.config.training.max_steps:
            left = self.config.training.max_steps - self.step.done()
        if self.worker[1] > 1:
            done = int(self.state.examples_in_epoch) // self.config.recipe.batch_size
            left = min(left, self.epoch_examples // self.config.recipe.batch_size - done)
        return left

    def _train_epoch(self, epoch: int) -> None:
        recipe = self.config.recipe
        iterator = self._dataset(epoch)
        first_step = self.step.done()
        began_at = int(self.state.examples_in_epoch)
        self.progress.start(first_step * recipe.batch_size)
        last = None
        while self._steps_left() > 0 and not self._asked_to_stop():
            steps = int(min(self.config.training.steps_per_call, self._steps_left()))
            unparsable = False
            try:
                last = self.step(iterator, tf.constant(steps, tf.int32))
                self._keep_config()
            except tf.errors.OutOfRangeError:
                break
            except PARSE_ERRORS as error:
                # One of several workers cannot begin anew while the others wait for it in a step.
                if self.worker[1] > 1 or not leave_out_unparsable(
                    error, self.files, self.config.schema, self.bad
                ):
                    raise
                unparsable = True
            finally:
                done = (self.step.done() - first_step) * recipe.batch_size
                self.state.examples_in_epoch.assign(began_at + done)
            if unparsable:
                iterator = self._dataset(epoch)  # from the step that failed on
                continue
            if self.progress.due():
                self._report(epoch, last)
            if self.checkpoints.due(self.step.done()):
                self._save()
        if (
            int(self.state.examples_in_epoch) == 0
            and self._stop is None
            and not self._out_of_steps()
        ):
            raise UserError(
                f"--batch_size={recipe.batch_size} is more than the {self.epoch_examples} {self.what} that the training records hold; lower it."
            )
        if last is not None:
            self._report(epoch, last)

    def _report(self, epoch: int, last: Any) -> None:
        values = self._checked_sums()
        if not values["steps"]:
            return
        metrics: dict[str, float] = {}
        if self.model.task == "classification":
            labels, predictions = (
                np.concatenate([p.numpy() for p in self.strategy.experimental_local_results(x)])
                for x in last
            )
            if (
                predictions.min() < -0.001 or predictions.max() > 1.001
            ):  # with room for what rounding does to a softmax
                raise UserError(
                    f"--model={self.config.model.name} predicts {predictions.min():.3g} to {predictions.max():.3g}, but the losses and the"
                    " CSVs take probabilities, 0 to 1: let its call end by a sigmoid, a softmax or a head of yt8m.layers."
                )
            metrics = batch_metrics(predictions, labels, self.config.training.top_k)
        step = self.step.done()
        values["learning_rate"] = float(self.schedule(step - 1))  # of the last step
        values.pop("broken")
        values.pop("steps")
        self.progress.train(
            step * self.config.recipe.batch_size,
            self._total_examples(),
            epoch,
            self.config.recipe.num_epochs,
            {**values, **metrics, "step": step, "epoch": epoch + 1},
        )

    def _checked_sums(self) -> dict[str, float]:
        """Return the means since the last call; refuse to go on with what is not a number."""
        values = self.step.read_sums()
        if values["broken"] or not math.isfinite(values["loss"] + values["regularization"]):
            self.progress.event("diverged", step=self.step.done())
            raise UserError(
                f"the loss or its gradient stopped being finite by step {self.step.done():,}."
                f" {look_for_nan(self.config.training.train_data_pattern)} Else lower --base_learning_rate (now"
                f" {self.config.recipe.base_learning_rate}), or clip harder, and start anew; the last good checkpoint is kept."
            )
        return values

    def _save(self) -> None:
        if not self.step.is_finite():
            self._checked_sums()  # says so
        self.checkpoints.save(self.step.done())
        if self.chief and not self.config.training.eval_data_pattern:
            # Nothing is validated, so nothing is best: this is what eval.py --watch follows, and what a killed run leaves.
            with self.average.applied():
                self._keep("last", None)

    def _validated(self) -> bool:
        """Validate after an epoch; where that fails, the epoch is kept, and a resumed run validates it first."""
        try:
            return self._validate()
        except UserError:
            self._save()
            raise

    def _validate(self) -> bool:
        """Evaluate the averaged weights and keep them if they are the best so far; return whether it gained enough."""
        t = self.config.training
        if self._validation is None:
            return True
        if self._predictor is None:
            self._predictor = self._validation.predictor(self.model)
        with self.average.applied():
            result = self._validation(self._predictor)
            score, before = self._validation.score(result), float(self.state.best_gap)
            best = score > before
            epoch = int(self.state.epoch) + 1
            if best and self.chief:
                self._keep(BEST, {**result, "epoch": epoch})
        if best:
            self.state.best_gap.assign(score)
        self.progress.validation({**result, "epoch": epoch, "step": self.step.done()}, best)
        return score > before + t.min_gain

    def _keep(self, name: str, result: dict[str, Any] | None) -> None:
        save_weights(self.model, self.run.file(name, "model.weights.h5"))
        about = {"step": self.step.done(), "epoch": int(self.state.epoch), **(result or {})}
        self.run.write_text(os.path.join(name, "metrics.json"), json.dumps(about, indent=1) + "\n")

    def _end(self) -> None:
        self._keep_config()
        if self.chief:
            with self.average.applied():
                self._keep("last", None)
            if self.bad.summary():
                self.progress.say(self.bad.summary())
            self.run.write_text("done", "")
            best, name = abs(float(self.state.best_gap)), self._score_name
            validated = math.isfinite(best)
            self.progress.event(
                "done",
                step=self.step.done(),
                **({f"best_{name.lower()}": best} if validated else {}),
            )
            which = f"best {name} {best:.4f}" if validated else "not validated"
            self.progress.say(
                f"done after {self.step.done():,} steps, {which}; the run is in {self.run.path}"
            )


def open_run(
    config: RunConfig,
    train_dir: str,
    start_new_model: bool = False,
    strategy: tf.distribute.Strategy | None = None,
) -> tuple[RunConfig, RunFolder, bool]:
    """Return (settings with the facts of the run's beginning, its folder, whether it is done and nothing has changed).

    Of several workers the chief deletes an earlier run, and the others wait: two that delete the same files fail, and one
    that looks too early finds the old run done.

    Raises:
      UserError: the folder holds a run with other settings, or cannot be written, or what is to be deleted is needed.
    """
    run = RunFolder(train_dir)
    if start_new_model:
        for flag in ("init_from", "priors_from"):
            if _same_folder(getattr(config.training, flag), train_dir):
                raise UserError(
                    f"--start_new_model would delete what --{flag}={train_dir} is to be read from; name another --train_dir."
                )
        if strategy is None or is_chief(strategy):
            run.delete()
        if strategy is not None:
            any_worker(strategy)(True)
    run.make()
    if not run.exists():
        return config, run, False
    old = run.load_config()
    note = check_same_run(old, config, train_dir)
    if not run.is_done():
        check_same_keras(old, config, train_dir)
    if note:
        print(note, flush=True)
    elif run.is_done():
        print(
            f"{train_dir} holds this very run, and it is done; --start_new_model trains it again.",
            flush=True,
        )
    return dataclasses.replace(config, facts=old.facts), run, run.is_done() and not note


def _same_folder(a: str, b: str) -> bool:
    here, there = (path.rstrip("/") if "://" in path else os.path.realpath(path) for path in (a, b))
    return bool(a) and here == there


def train(
    config: RunConfig,
    train_dir: str,
    start_new_model: bool = False,
    strategy: tf.distribute.Strategy | None = None,
) -> None:
    """Begin or resume the run in `train_dir`, and train it to its end.

    Args:
      config: the run's settings.
      train_dir: its folder.
      start_new_model: delete an earlier run there first.
      strategy: where to compute, if it is made already.

    Raises:
      UserError: the folder holds a run with other settings, the data do not fit, the loss diverged.
      Stopped: a signal came; the run is saved.
    """
    config, run, finished = open_run(config, train_dir, start_new_model, strategy)
    if finished:
        return
    trainer = Trainer(config, run, strategy)
    started = time.monotonic()
    try:
        trainer.train()
    except Stopped:
        trainer.progress.event("ended", seconds=round(time.monotonic() - started, 1))
        raise
    trainer.progress.event("ended", seconds=round(time.monotonic() - started, 1))
