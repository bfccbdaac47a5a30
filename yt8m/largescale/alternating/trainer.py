"""The KDD 2019 trainer: joint training, a large mixture on frozen features, the aggregator by full-batch gradients.

    train_dir/config.json, metrics.jsonl, best/, last/, done     as of any run: eval.py and inference.py take it
              step1/                                             the joint training, a run of its own
              alternation/state.json                             the steps done
              alternation/cycle1_step2/, cycle1_step3/, …        what each step keeps to be resumed, and its best model

The same command goes on wherever the run was ended, and however (KDD §4.1; spec D.5).
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
from yt8m.largescale.alternating.context import Context, Outcome
from yt8m.largescale.alternating.plan import Done, Step, next_step
from yt8m.largescale.alternating.state import Log, State
from yt8m.largescale.alternating.step_model import copy_model, metrics_of
from yt8m.largescale.executors import make_executor
from yt8m.largescale.tasks.shared_folder import absolute
from yt8m.models.core import registry
from yt8m.models.core.aggregator_and_head import AggregatorAndHead
from yt8m.runs.config import CONFIG_FILE, RunConfig
from yt8m.runs.folder import ALTERNATION, BEST, RunFolder
from yt8m.runs.open import open_run
from yt8m.runs.stop_signal import StopSignal
from yt8m.runs.strategy import make_strategy
from yt8m.training.validation import Validation


def check(config: RunConfig, train_dir: str = "") -> None:
    """Refuse what cannot be alternated.

    Args:
      config: of the run.
      train_dir: its folder.

    Raises:
      UserError: says what is missing.
    """
    model = registry.model_class(config.model.name)
    if not issubclass(model, AggregatorAndHead):
        able = [
            name
            for name in registry.list_models()
            if issubclass(registry.model_class(name), AggregatorAndHead)
        ]
        raise UserError(
            f"--trainer=alternating needs a model that says where its aggregator ends, and --model={config.model.name}"
            f" does not; these do: {', '.join(able)}."
        )
    if not config.training.eval_data_pattern:
        raise UserError(
            "--trainer=alternating needs --eval_data_pattern: each of its steps ends by the validation GAP."
        )
    if config.schema.segment_labels:
        raise UserError("--trainer=alternating trains on whole videos; drop --segment_labels.")
    if config.training.patience or config.training.min_gain:
        raise UserError(
            "--patience and --min_gain are of --trainer=joint; the steps of the alternation end by --step1_patience,"
            " --step1_min_gain, --step2_patience, --step3_patience and --min_cycle_gain."
        )
    config.alternation.check()
    classifier_step.check(config, train_dir=train_dir)
    if config.alternation.frame_network:
        video_level_mode.check(config)
    groups = config.model.arguments.get("groups")
    if groups:
        raise UserError(
            "--model_option=groups: step 2 finds the groups itself, from --max_experts and --expert_divisor."
        )


def _refuse_workers(strategy: tf.distribute.Strategy | None) -> None:
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        raise UserError(
            "--trainer=alternating spreads its work by --executor, not by --strategy=multi_worker; unset TF_CONFIG."
        )


def train(
    config: RunConfig,
    train_dir: str,
    start_new_model: bool = False,
    strategy: tf.distribute.Strategy | None = None,
) -> int:
    """Begin or resume the alternation in `train_dir`; return the exit code.

    Raises:
      UserError: the folder holds a run with other settings, or the model or the data do not fit.
    """
    check(config, train_dir)
    _refuse_workers(strategy)  # before an earlier run is deleted
    train_dir = absolute(train_dir)  # a worker of a cluster has a working folder of its own
    run = RunFolder(train_dir)
    if run.exists() and not any(
        tf.io.gfile.exists(run.file(name))
        for name in (f"step1/{CONFIG_FILE}", f"step1/{BEST}", ALTERNATION)
    ):
        tf.io.gfile.remove(
            run.file(CONFIG_FILE)
        )  # of an attempt that was refused before its first step
    config, run, finished = open_run(config, train_dir, start_new_model)
    if finished:
        return 0
    files = [absolute(f) for f in find_shards(config.training.train_data_pattern)]
    strategy = strategy or make_strategy(
        config.training.strategy, config.training.num_gpu, [*files[:1], train_dir]
    )
    _refuse_workers(strategy)
    tf.keras.mixed_precision.set_global_policy(
        "mixed_bfloat16" if config.training.dtype == "bfloat16" else "float32"
    )
    validation = Validation(config, strategy)
    validation.files = [absolute(f) for f in validation.files]
    if not run.exists():
        run.write_text(CONFIG_FILE, config.to_json())
    executor = make_executor(
        config.alternation.executor, task_timeout=60.0 * config.alternation.task_minutes
    )
    try:
        with StopSignal() as stop:
            context = Context(config, run, strategy, executor, validation, Log(run), stop, files)
            if config.alternation.frame_network:
                return video_level_mode.run(context, train)
            return Alternation(context).run()
    finally:
        executor.close()


class Alternation:
    """Takes the steps that the plan names, one after another."""

    def __init__(self, context: Context):
        self.context = context
        self.state = State(context.run)

    def run(self) -> int:
        """Go on from the last finished step to the end, or to a signal; return the exit code."""
        context = self.context
        while (step := next_step(context.settings, self.state.done)) is not None:
            context.log.begin(step)
            tf.keras.utils.set_random_seed(
                context.config.training.seed + 1000 * step.cycle + step.number
            )
            outcome = None if context.stop() else self._take(step)
            if outcome is None:
                context.log.event("stopped", step=step.name)
                context.log.say(f"stopped by a signal in {step.name}; the same command resumes")
                return 128 + context.stop.number
            self._finish(step, outcome)
        return self._end()

    def _take(self, step: Step) -> Outcome | None:
        if step.number == 1:
            return joint_step.run(self.context, step)
        source = model_folder(self.context.run, self.state.done[-1])
        if step.number == 2:
            return classifier_step.run(self.context, step, source)
        return aggregator_step.run(self.context, step, source)

    def _finish(self, step: Step, outcome: Outcome) -> None:
        """Keep the model if it is the best so far, then put the step down as done."""
        gap = float(outcome.result["gap"])
        best = self.state.best
        better = not best or gap > best["gap"]
        if better:
            best = {"after": step.name, "gap": gap, "map": float(outcome.result["map"])}
            copy_model(self.context.run, outcome.folder, BEST, self._about(step, outcome.result))
        self.context.log.end(step, outcome.result, outcome.elapsed, better)
        self.state.add(Done(step.number, step.cycle, gap), best)

    def _about(self, step: Step, result: dict[str, Any]) -> dict[str, Any]:
        return {**result, "after": step.name, "cycle": step.cycle, "number": step.number}

    def _end(self) -> int:
        run, last = self.context.run, self.state.done[-1]
        folder = model_folder(run, last)
        copy_model(
            run, folder, "last", self._about(Step(last.number, last.cycle), metrics_of(run, folder))
        )
        run.write_text("done", "")
        best = self.state.best
        steps = ", ".join(Step(d.number, d.cycle).name for d in self.state.done)
        self.context.log.event("done", best_gap=best["gap"], best_after=best["after"])
        self.context.log.say(
            f"done ({steps}): best GAP {best['gap']:.4f} after {best['after']}; the run is in {run.path}"
        )
        return 0


def model_folder(run: RunFolder, done: Done) -> str:
    """Return where a finished step left its model, relative to the run's folder."""
    step = Step(done.number, done.cycle)
    return f"{step.name}/{BEST}" if step.number == 1 else f"{ALTERNATION}/{step.name}/{BEST}"
