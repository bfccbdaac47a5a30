"""Step 1: the ordinary trainer trains the aggregator and a small mixture together, in `step1/`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from yt8m.errors import UserError
from yt8m.largescale.alternating.context import Context, alternation_of
from yt8m.largescale.alternating.plan import Step
from yt8m.largescale.alternating.step_model import save_model
from yt8m.runs.build import make_model
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import BEST, STEP_1, RunFolder
from yt8m.runs.load import load_weights, weights_file
from yt8m.training.trainer import train


def joint_config(config: RunConfig) -> RunConfig:
    """Return the settings of step 1 as a run of its own.

    Its stopping rule is the alternation's (docs/sources.md#stopping-rules).
    """
    own = alternation_of(config)
    training = dataclasses.replace(
        config.training, trainer="joint", patience=own.step1_patience, min_gain=own.step1_min_gain
    )
    return dataclasses.replace(config, training=training, alternation=None)


def check_length(config: RunConfig, run: RunFolder) -> None:
    """Refuse another length for a joint training that has ended, on which later steps build.

    Args:
      config: the requested settings.
      run: the alternating run's folder.

    Raises:
      UserError: it names the flag.
    """
    if not run.exists():
        return
    joint = RunFolder(run.file(STEP_1))
    taken = bool(alternation_of(config).step1_from)
    if not taken and not joint.is_done():
        return
    before = (run if taken else joint).load_config()
    for name, was, now in (
        ("num_epochs", before.recipe.num_epochs, config.recipe.num_epochs),
        ("max_steps", before.training.max_steps, config.training.max_steps),
    ):
        if was != now:
            raise UserError(
                f"--{name}={now}: step 1, the joint training of --train_dir={run.path}, has ended"
                f" with {name}={was}, and the later steps build on its model. Set that value; or"
                f" train the model longer by --trainer=joint, and name its folder by --step1_from"
                " in a new --train_dir."
            )


def run(context: Context, step: Step) -> float:
    """Train, resume the training, or take the model that --step1_from names.

    Returns:
      Seconds that the step took, without validation.

    Raises:
      Stopped: the training was stopped by a signal.
    """
    if context.settings.step1_from:
        joint = _take(context, step)
    else:
        joint = RunFolder(context.run.file(step.folder))
        if not joint.is_done():
            train(joint_config(context.config), joint.path, strategy=context.strategy)
    priors = joint.load_priors()
    if priors is not None:
        context.run.save_priors(priors)
    elapsed = 0.0
    for epoch, result, elapsed in epochs(joint):
        context.log.iteration(step, epoch, result, elapsed)
    return elapsed


def _take(context: Context, step: Step) -> RunFolder:
    """Copy the joint model of an earlier run after validating it again, and return that run.

    Raises:
      UserError: there is none, or it has another model.
    """
    flag, mine = "--step1_from", context.config
    source = RunFolder(context.settings.step1_from)
    config = source.load_config(flag)
    joint = RunFolder(source.file(step.name)) if config.alternation else source
    if (config.model, config.schema.all_names) != (mine.model, mine.schema.all_names):
        raise UserError(
            f"{flag}={source.path} is a {_described(config)}, but this run is a {_described(mine)};"
            " use the model and options of that run."
        )
    weights = weights_file(joint, BEST, flag)
    if not joint.is_done():
        context.log.say(
            f"{flag}={source.path}: its joint training has not ended; the best model so far is used"
        )
    with context.strategy.scope():
        model = make_model(mine)
    load_weights(model, weights)
    result = context.validate.of_model(model)
    save_model(context.run, step.best, model, {}, result)
    return joint


def _described(config: RunConfig) -> str:
    options = config.model.arguments or ""
    return f"{config.model.name} {options} of {', '.join(config.schema.all_names)}"


def epochs(run_folder: RunFolder) -> Iterator[tuple[int, dict[str, Any], float]]:
    """Yield the validations in a run's log that end its epochs.

    Yields:
      (epoch, metrics, seconds of training so far in all processes, without validation).
    """
    worked, since = 0.0, None
    for event in run_folder.logged():
        name, now = event["event"], event.get("time")
        if name in ("started", "resumed"):
            since = now
        elif name in ("stopped", "validation") and since is not None:
            worked += max(0.0, now - since - event.get("seconds", 0.0))
            since = now if name == "validation" else None
        if name == "validation" and not event.get("within_epoch"):
            yield int(event["epoch"]), event, worked
