"""The KDD paper's video-level mode with a trained frame network, which stays unchanged.

Only the layers after the frame network are trained.

    alternation/pooled/train, validation    the frame network's pooled output of each video
    alternation/video_level/                the alternation of the video-level half on it

The best model of that run becomes the second half of a complete model, which takes frames like that
of any run. This is the first reading of KDD §5.4 (docs/sources.md#video-level-mode).
"""

from __future__ import annotations

import dataclasses
import operator
import os
from typing import Any, Callable

import tensorflow as tf

from yt8m.compat import tf_variable
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.largescale.alternating.context import Context, alternation_of
from yt8m.largescale.alternating.step_model import arguments_of, load_model, metrics_of, save_model
from yt8m.largescale.features.pooled_records import pool_records, pooled_schema
from yt8m.models.core import registry
from yt8m.models.core.base import Yt8mModel
from yt8m.models.dbof.kdd import VIDEO_HALF
from yt8m.runs.build import make_model
from yt8m.runs.config import ModelConfig, RunConfig
from yt8m.runs.folder import ALTERNATION, BEST, RunFolder
from yt8m.runs.load import config_of, load_run, weights_file
from yt8m.runs.stop_signal import Stopped

VIDEO_RUN = f"{ALTERNATION}/video_level"
_FLAG = "--frame_network"
# Attributes of both models that belong to the video-level half.
_HALF = ("video_fc", "video_bn", "video_gate", "head")
# Arguments that the records and the trainer determine.
_DATA = ("num_classes", "feature_sizes", "video_sizes", "groups")
# Arguments that may differ from the frame network's.
_HEAD = ("head", "num_mixtures", "initial")
# Arguments that the video-level half shares with the whole model.
_SHARED = ("width", "gate_batch_norm", *_HEAD)


def check(config: RunConfig) -> None:
    """Refuse a model without a frame network, and a trained network that does not match the model.

    Raises:
      UserError: names the models that have one, or shows what differs.
    """
    if config.model.name not in VIDEO_HALF:
        raise UserError(f"{_FLAG} is for {', '.join(VIDEO_HALF)}, not --model={config.model.name}.")
    other = RunFolder(alternation_of(config).frame_network)
    # A finished run needs no network, and an unfinished one reports its absence on loading it.
    if other.exists():
        path = weights_file(other, flag=_FLAG)
        _check_fits(config, config_of(other, path), path)


def _check_fits(config: RunConfig, other: RunConfig, path: str) -> None:
    """Refuse a frame network of another model, on other frames or with other settings.

    Features of whole videos and arguments of the head may differ: they come after the network.

    Raises:
      UserError: shows what differs.
    """
    name, mine, theirs = config.model.name, config.schema, other.schema
    if other.model.name != name:
        raise UserError(
            f"{_FLAG}: {path} is a {other.model.name}, but this run has --model={name}; both must"
            " be the same model."
        )
    frames_of = operator.attrgetter("feature_names", "feature_sizes")
    if frames_of(theirs) != frames_of(mine):
        raise UserError(
            f"{_FLAG}: {path} takes {', '.join(theirs.feature_names)}, but the records contain"
            f" {', '.join(mine.feature_names)}."
        )
    data = {"num_classes": theirs.num_classes, "feature_sizes": theirs.feature_sizes}
    # The constructor adds the defaults; it makes no weights.
    full = registry.create(name, **{**data, **other.model.arguments}).get_config()
    fixed = set(full) - {*_DATA, *_HEAD}
    wrong = {k: v for k, v in config.model.arguments.items() if k in fixed and v != full[k]}
    if wrong:
        listed = "; ".join(f"{k} {full[k]!r} there and {v!r} here" for k, v in wrong.items())
        raise UserError(
            f"{_FLAG}: the {name} in {path} has other settings than this run ({listed}). Drop those"
            f" options of the model: all except {', '.join(_HEAD)} are taken from that run."
        )


def run(context: Context, alternate: Callable[..., None]) -> None:
    """Pool the frames, train the video-level half, and join both halves into one model.

    Args:
      context: the whole run.
      alternate: `yt8m.largescale.alternating.trainer.train`.

    Raises:
      Stopped: a signal stopped the run. The same command resumes.
    """
    config, run_folder = context.config, context.run
    with context.strategy.scope():
        network = _frame_network(config)

    def pooled(name: str, files: list[str], schema: RecordSchema, max_bad_records: int) -> str:
        folder = run_folder.file(ALTERNATION, "pooled", name)
        pool_records(
            context.executor,
            network,
            files,
            schema,
            folder,
            context.validation.batch_size,
            max_bad_records,
            context.stop,
            context.log.say,
        )
        return os.path.join(folder, "*.tfrecord")

    validation = context.validation
    try:
        patterns = (
            pooled("train", context.files, config.schema, config.training.max_bad_records),
            pooled("validation", validation.files, validation.schema, 0),
        )
    except Stopped as stopped:
        context.log.say(f"stopped {stopped.why}; the same command resumes")
        raise
    width = int(network.pooled_frames(network.example_inputs()).shape[-1])
    video_run = RunFolder(run_folder.file(VIDEO_RUN))
    half = _video_config(config, network, width, *patterns, video_run)
    alternate(half, video_run.path, strategy=context.strategy)
    _finish(context, network)


def _frame_network(config: RunConfig) -> Yt8mModel:
    """Return the trained model whose frame network is kept.

    Raises:
      UserError: there is none, or it does not match.
    """
    folder, dtype = alternation_of(config).frame_network, config.training.dtype
    other, model, path = load_run(folder, _FLAG, dtype)
    _check_fits(config, other, path)
    return model


def _arguments(config: RunConfig, network: Yt8mModel) -> dict[str, Any]:
    """Return the complete model's arguments: the frame network's, overridden by this run's."""
    given = {k: v for k, v in network.get_config().items() if k not in _DATA}
    return {**given, **config.model.arguments}


def _video_config(
    config: RunConfig, network: Yt8mModel, width: int, train: str, validation: str, run: RunFolder
) -> RunConfig:
    """Return the settings of the video-level half's run, whose layers match the whole model's."""
    arguments = {k: v for k, v in _arguments(config, network).items() if k in _SHARED}
    arguments.update(input_norm="none", input_batch_norm=False)
    # What was pooled are the records of --validate_examples already. A run that an earlier version
    # of this program began took a sample of them, and keeps it.
    examples = run.load_config().training.validate_examples if run.exists() else 0
    return dataclasses.replace(
        config,
        schema=pooled_schema(config.schema, width),
        model=ModelConfig(VIDEO_HALF[config.model.name], arguments),
        recipe=dataclasses.replace(config.recipe, train_frames=0),
        training=dataclasses.replace(
            config.training,
            train_data_pattern=train,
            eval_data_pattern=validation,
            validate_examples=examples,
        ),
        alternation=dataclasses.replace(alternation_of(config), frame_network=""),
    )


def _finish(context: Context, network: Yt8mModel) -> None:
    """Join the frame network and the best video-level half, and validate and save the model."""
    config, run_folder = context.config, context.run
    video_run = RunFolder(run_folder.file(VIDEO_RUN))
    for event in video_run.logged():
        if event["event"] in ("step_begin", "iteration", "step_end"):
            run_folder.log(**event)
    arguments = {**_arguments(config, network), **arguments_of(video_run, BEST)}
    model = ModelConfig(config.model.name, arguments)
    with context.strategy.scope():
        half = load_model(video_run, BEST)
        whole = make_model(dataclasses.replace(config, model=model))
    copy_layers(network, whole, lambda name: name not in _HALF)
    copy_layers(half, whole, lambda name: name in _HALF)
    result = context.validate.of_model(whole)
    about = {**metrics_of(video_run, BEST), **result}
    for folder in (BEST, "last"):
        save_model(run_folder, folder, whole, arguments, about)
    priors = video_run.load_priors()
    if priors is not None:
        run_folder.save_priors(priors)
    run_folder.set_done()
    context.log.event("done", best_gap=float(result["gap"]), best_after=about["after"])
    context.log.say(
        f"done: GAP {result['gap']:.4f} with the frame network of"
        f" {alternation_of(config).frame_network}"
    )


def copy_layers(source: Yt8mModel, target: Yt8mModel, chosen: Callable[[str], bool]) -> None:
    """Copy the weights of every layer that is an attribute of both models and whose name is chosen.

    Raises:
      UserError: their shapes differ.
    """
    for name, layer in sorted(vars(target).items()):
        other = getattr(source, name, None)
        if not isinstance(layer, tf.keras.layers.Layer) or other is None or not chosen(name):
            continue
        for mine, theirs in zip(layer.weights, other.weights):
            here, there = tuple(mine.shape), tuple(theirs.shape)
            if here != there:
                raise UserError(
                    f"{_FLAG}: its {name} has weights {there}, and this model's are {here}."
                )
            tf_variable(mine).assign(tf_variable(theirs))
