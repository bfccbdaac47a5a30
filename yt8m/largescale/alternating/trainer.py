"""The KDD 2019 trainer: joint training, a large mixture on frozen features, full-batch gradients.

    config.json, metrics.jsonl, best/, last/, done    as in any run, for eval.py and inference.py
    step1/                                            the joint training, a run of its own
    alternation/state.json                            the finished steps
    alternation/step2_partitions.json                 how many partitions step 2 has
    alternation/step3_batch.json                      how many videos step 3 computes together
    alternation/cycle1_step2/, cycle1_step3/, …       each step's state and its best model

The same command continues a run that was stopped or killed at any point. Source: KDD §4.1,
docs/sources.md#alternation.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m.data.files.shards import find_shards
from yt8m.errors import UserError
from yt8m.largescale.alternating import (
    aggregator_step,
    classifier_step,
    joint_step,
    video_level_mode,
)
from yt8m.largescale.alternating.context import Context, alternation_of
from yt8m.largescale.alternating.finished_steps import FinishedSteps
from yt8m.largescale.alternating.log import Log
from yt8m.largescale.alternating.plan import Step, take_steps
from yt8m.largescale.alternating.step_model import copy_model, metrics_of
from yt8m.largescale.alternating.step_state import STATE
from yt8m.largescale.executors import make_executor
from yt8m.largescale.storage import objects
from yt8m.largescale.tasks.shared_folder import absolute
from yt8m.models.core import registry
from yt8m.models.core.aggregator_and_head import AggregatorAndHead
from yt8m.runs.config import CONFIG_FILE, RunConfig
from yt8m.runs.devices.strategy import make_strategy
from yt8m.runs.folder import ALTERNATION, BEST, RunFolder
from yt8m.runs.open import keep_settings, open_run
from yt8m.runs.stop_signal import Stopped, StopSignal
from yt8m.training.validation import Validation


def check(config: RunConfig, train_dir: str = "") -> None:
    """Refuse a model or settings that cannot be alternated.

    Args:
      config: the run's settings.
      train_dir: its folder.

    Raises:
      UserError: says what is missing.
    """
    name, training = config.model.name, config.training
    if not _can_alternate(name):
        able = ", ".join(filter(_can_alternate, registry.list_models()))
        raise UserError(
            "--trainer=alternating needs a model that declares where its aggregator ends, which"
            f" --model={name} does not; these do: {able}."
        )
    if not training.eval_data_pattern:
        raise UserError(
            "--trainer=alternating needs --eval_data_pattern, because the validation GAP ends each"
            " step."
        )
    if config.schema.segment_labels:
        raise UserError("--trainer=alternating trains on whole videos; drop --segment_labels.")
    if training.patience or training.min_gain:
        raise UserError(
            "--patience and --min_gain apply to --trainer=joint; the steps of the alternation end"
            " by --step1_patience, --step1_min_gain, --step2_patience, --step3_patience and"
            " --min_cycle_gain."
        )
    alternation_of(config).check()
    scheme = train_dir.partition("://")[0]
    if "://" in train_dir and scheme not in tf.io.gfile.get_registered_schemes():
        raise UserError(
            f"--train_dir={train_dir}: TensorFlow does not open {scheme}:// here. Name a local"
            f" folder or gs://, and give {scheme}:// to --shared_store, which fsspec opens."
        )
    classifier_step.check(config)
    if alternation_of(config).frame_network:
        video_level_mode.check(config)
    if config.model.arguments.get("groups"):
        raise UserError(
            "--model_option=groups: step 2 determines the groups itself, from --max_experts and"
            " --expert_divisor."
        )


def _can_alternate(name: str) -> bool:
    return issubclass(registry.model_class(name), AggregatorAndHead)


def _refuse_workers(strategy: tf.distribute.Strategy | None) -> None:
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        raise UserError(
            "--trainer=alternating distributes its work by --executor, not by"
            " --strategy=multi_worker; unset TF_CONFIG."
        )


def train(
    config: RunConfig,
    train_dir: str,
    start_new_model: bool = False,
    strategy: tf.distribute.Strategy | None = None,
) -> None:
    """Begin or resume the alternation in `train_dir`.

    Raises:
      Stopped: a signal stopped the run. The same command resumes.
      UserError: the folder contains a run with other settings, or the model or the data do not fit.
    """
    check(config, train_dir)
    _refuse_workers(strategy)  # before an earlier run is deleted
    if store := alternation_of(config).shared_store:
        objects.check(absolute(store))
    train_dir = absolute(train_dir)  # a cluster's worker has another working directory
    _remove_refused_attempt(RunFolder(train_dir))
    config, run, finished = open_run(config, train_dir, start_new_model)
    if finished:
        return
    frames = alternation_of(config).frame_network
    joint_step.check_length(
        config, RunFolder(run.file(video_level_mode.VIDEO_RUN)) if frames else run
    )
    context = _context(config, run, strategy)
    try:
        with context.stop:
            if frames:
                video_level_mode.run(context, train)
            else:
                Alternation(context).run()
    finally:
        context.executor.close()


def _remove_refused_attempt(run: RunFolder) -> None:
    """Remove the settings of an attempt that was refused before its first step."""
    begun = (f"step1/{CONFIG_FILE}", f"step1/{BEST}", ALTERNATION)
    if run.exists() and not any(tf.io.gfile.exists(run.file(name)) for name in begun):
        tf.io.gfile.remove(run.file(CONFIG_FILE))


def _context(config: RunConfig, run: RunFolder, strategy: tf.distribute.Strategy | None) -> Context:
    """Return the context that the steps need, and write the settings of a new run."""
    training, alternation = config.training, alternation_of(config)
    files = [absolute(f) for f in find_shards(training.train_data_pattern)]
    strategy = strategy or make_strategy(training.strategy, training.num_gpu)
    _refuse_workers(strategy)
    validation = Validation(config, strategy)
    validation.files = [absolute(f) for f in validation.files]
    if not (run.exists() and run.load_config() == config):
        keep_settings(run, config)
    executor = make_executor(alternation.executor, task_timeout=60.0 * alternation.task_minutes)
    stop = StopSignal(config.session)
    # A signal lets an iteration of step 3 and its validation end; the end of the session cannot.
    executor.check = stop.raise_if_out_of_time
    return Context(config, run, strategy, executor, validation, Log(run), stop, files)


class Alternation:
    """Takes the steps of the plan, one after another; finished ones are not taken again.

    Args:
      context: the run.
    """

    def __init__(self, context: Context):
        self.context = context
        self.finished = FinishedSteps(context.run)

    def run(self) -> None:
        """Continue after the last finished step, to the end.

        Raises:
          Stopped: a signal stopped the run. The same command resumes.
        """
        take_steps(self.context.settings, self._once)
        run, last, best = self.context.run, self._last, self.finished.best
        copy_model(run, last.best, "last", _about(last, metrics_of(run, last.best)))
        run.set_done()
        steps = ", ".join(step.name for step in self.finished.gaps)
        self.context.log.event("done", best_gap=best["gap"], best_after=best["after"])
        self.context.log.say(
            f"done ({steps}): best GAP {best['gap']:.4f} after {best['after']}; the run is in"
            f" {run.path}"
        )

    def _once(self, step: Step) -> float:
        """Take a step unless it is finished, and return the GAP of its model."""
        if step not in self.finished.gaps:
            try:
                self._finish(step, self._take(step))
            except Stopped as stopped:
                self.context.log.event("stopped", step=step.name)
                self.context.log.say(
                    f"stopped {stopped.why} in {step.name}; the same command resumes"
                )
                raise
        self._last = step
        return self.finished.gaps[step]

    def _take(self, step: Step) -> float:
        """Take a step and return the seconds that it took."""
        context = self.context
        self._say_if_it_starts_over(step)
        context.log.begin(step)
        seed = context.config.training.seed + 1000 * step.cycle + step.number
        tf.keras.utils.set_random_seed(seed)
        context.stop.raise_if_set()
        if step.number == 1:
            return joint_step.run(context, step)
        module = classifier_step if step.number == 2 else aggregator_step
        return module.run(context, step, self._last.best)

    def _say_if_it_starts_over(self, step: Step) -> None:
        """Say that a step was begun before and left no state; the joint training says it itself."""
        run, state = self.context.run, f"{step.folder}/{STATE}"
        if step.number == 1 or tf.io.gfile.exists(run.file(state)):
            return
        begun = (e for e in run.logged() if e["event"] == "step_begin")
        if any((e["number"], e["cycle"]) == (step.number, step.cycle) for e in begun):
            self.context.log.say(
                f"{step.name} was begun before, but {state} is not there: it starts over with what"
                " is stored of its features"
                if step.number == 2
                else f"{step.name} was begun before, but {state} is not there: it starts over"
            )

    def _finish(self, step: Step, elapsed: float) -> None:
        """Keep the step's model if it is the best so far, and record the step as finished."""
        result, best = metrics_of(self.context.run, step.best), self.finished.best
        gap = float(result["gap"])
        better = not best or gap > best["gap"]
        if better:
            best = {"after": step.name, "gap": gap, "map": float(result["map"])}
            copy_model(self.context.run, step.best, BEST, _about(step, result))
        self.context.log.end(step, result, elapsed, better)
        self.finished.add(step, gap, best)


def _about(step: Step, result: dict[str, Any]) -> dict[str, Any]:
    return {**result, "after": step.name, "cycle": step.cycle, "number": step.number}
