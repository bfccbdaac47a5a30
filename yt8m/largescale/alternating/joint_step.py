"""Step 1: aggregator and a small mixture trained together, by the ordinary trainer, as a run of its own in `step1/`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from yt8m.errors import UserError
from yt8m.largescale.alternating.context import Context, Outcome
from yt8m.largescale.alternating.plan import Step
from yt8m.largescale.alternating.step_model import metrics_of, save_model
from yt8m.runs.build import make_model
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import BEST, RunFolder
from yt8m.runs.load import load_weights, weights_file
from yt8m.runs.stop_signal import Stopped
from yt8m.training.trainer import train


def joint_config(config: RunConfig) -> RunConfig:
    """Return the settings of step 1 as a run: the whole run's, and the stopping rule of spec D.5."""
    own = config.alternation
    training = dataclasses.replace(
        config.training, trainer="joint", patience=own.step1_patience, min_gain=own.step1_min_gain
    )
    return dataclasses.replace(config, training=training, alternation=None)


def run(context: Context, step: Step) -> Outcome | None:
    """Train, or go on with training, or take what --step1_from names; None where a signal stopped it."""
    folder, best = context.run.file(step.name), f"{step.name}/{BEST}"
    if context.settings.step1_from:
        return _taken(context, step, best)
    if not RunFolder(folder).is_done():
        try:
            train(joint_config(context.config), folder, strategy=context.strategy)
        except Stopped as stopped:
            context.stop.number = stopped.number
            return None
    priors = RunFolder(folder).load_priors()
    if priors is not None:
        context.run.save_priors(priors)
    elapsed = 0.0
    for epoch, result, elapsed in epochs(RunFolder(folder)):
        context.log.iteration(step, epoch, result, elapsed)
    return Outcome(best, metrics_of(context.run, best), elapsed)


def _taken(context: Context, step: Step, best: str) -> Outcome:
    """Copy the joint model of an earlier run, validated anew.

    Raises:
      UserError: there is none, or it is of another model.
    """
    flag = "--step1_from"
    source = RunFolder(context.settings.step1_from)
    config = source.load_config(flag)
    joint = RunFolder(source.file(step.name)) if config.alternation else source
    if (
        config.model != context.config.model
        or config.schema.all_names != context.config.schema.all_names
    ):
        raise UserError(
            f"{flag}={source.path} is a {config.model.name} {config.model.arguments or ''} of {', '.join(config.schema.all_names)},"
            f" this run a {context.config.model.name} {context.config.model.arguments or ''} of"
            f" {', '.join(context.config.schema.all_names)}; give the model and options of that run."
        )
    weights = weights_file(joint, BEST, flag)
    if not joint.is_done():
        context.log.say(
            f"{flag}={source.path}: its joint training has not ended; the best model so far is taken"
        )
    with context.strategy.scope():
        model = make_model(context.config)
    load_weights(model, weights)
    result = context.validation(context.validation.predictor(model))
    save_model(context.run, best, model, {}, result)
    elapsed = 0.0
    for epoch, logged, elapsed in epochs(joint):
        context.log.iteration(step, epoch, logged, elapsed)
    priors = joint.load_priors()
    if priors is not None:
        context.run.save_priors(priors)
    return Outcome(best, result, elapsed)


def epochs(run_folder: RunFolder) -> Iterator[tuple[int, dict[str, Any], float]]:
    """Yield (epoch, metrics, seconds of training up to it over all resumptions) of a run's log, validation left out."""
    worked, since = 0.0, None
    for event in run_folder.logged():
        name, now = event["event"], event.get("time")
        if name in ("started", "resumed"):
            since = now
        elif name in ("stopped", "validation") and since is not None:
            worked += max(0.0, now - since - event.get("seconds", 0.0))
            since = now if name == "validation" else None
        if name == "validation":
            yield int(event["epoch"]), event, worked
