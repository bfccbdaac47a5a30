"""The KDD paper's video-level mode with a trained frame network: that is kept, and only what follows it is trained.

    alternation/pooled/train, validation    what the frame network gives for each video, pooled, once
    alternation/video_level/                the alternation of the video-level half on these, a run of its own

The best model of that run becomes the second half of a whole one, which takes frames as any run's does (KDD §5.4;
spec D.9, reading i; without --frame_network the video-level models train on raw averaged features, reading ii).
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Callable

import tensorflow as tf

from yt8m.errors import UserError
from yt8m.largescale.alternating.context import Context
from yt8m.largescale.alternating.step_model import arguments_of, load_model, metrics_of, save_model
from yt8m.largescale.features.pooled_records import pool_records, pooled_schema
from yt8m.models.core import registry
from yt8m.models.core.base import Yt8mModel
from yt8m.models.dbof.kdd import VIDEO_HALF
from yt8m.runs.build import make_model
from yt8m.runs.config import ModelConfig, RunConfig
from yt8m.runs.folder import ALTERNATION, BEST, RunFolder
from yt8m.runs.load import config_of, load_run, weights_file
from yt8m.training.weight_average import tf_variable

VIDEO_RUN = f"{ALTERNATION}/video_level"
_FLAG = "--frame_network"
_HALF = ("video_fc", "video_bn", "video_gate", "head")  # attributes that both models have
_DATA = (
    "num_classes",
    "feature_sizes",
    "video_sizes",
    "groups",
)  # arguments that the records and the trainer decide
_HEAD = ("head", "num_mixtures", "initial")  # arguments that may be other than the frame network's
_SHARED = (
    "width",
    "gate_batch_norm",
    *_HEAD,
)  # arguments that the whole model's video-level half has too


def check(config: RunConfig) -> None:
    """Refuse a model without a frame network, or one that the trained network given does not fit.

    Raises:
      UserError: names the models that have one; or what differs.
    """
    if config.model.name not in VIDEO_HALF:
        raise UserError(f"{_FLAG} is for {', '.join(VIDEO_HALF)}, not --model={config.model.name}.")
    other = RunFolder(config.alternation.frame_network)
    if (
        other.exists()
    ):  # a run that is done needs it no more; one that is not says so where it loads it
        path = weights_file(other, flag=_FLAG)
        _check_fits(config, config_of(other, path), path)


def _check_fits(config: RunConfig, other: RunConfig, path: str) -> None:
    """Refuse a frame network of another model, of other frames or with other settings before the head.

    Features of whole videos may be others: they lie behind the frame network.

    Raises:
      UserError: says which.
    """
    if other.model.name != config.model.name:
        raise UserError(
            f"{_FLAG}: {path} is a {other.model.name}, and --model={config.model.name}; name one model by both."
        )
    if (
        other.schema.feature_names != config.schema.feature_names
        or other.schema.feature_sizes != config.schema.feature_sizes
    ):
        raise UserError(
            f"{_FLAG}: {path} takes {', '.join(other.schema.feature_names)}, the records hold {', '.join(config.schema.feature_names)}."
        )
    arguments = {
        "num_classes": other.schema.num_classes,
        "feature_sizes": other.schema.feature_sizes,
        **other.model.arguments,
    }
    theirs = registry.create(
        other.model.name, **arguments
    ).get_config()  # with the defaults; no weights are made
    given = config.model.arguments.items()
    wrong = {k: v for k, v in given if k in theirs and k not in (*_DATA, *_HEAD) and v != theirs[k]}
    if wrong:
        listed = "; ".join(f"{k} {theirs[k]!r} there and {v!r} here" for k, v in wrong.items())
        raise UserError(
            f"{_FLAG}: the {other.model.name} in {path} has other settings than this run ({listed}). Drop those options of"
            f" the model: all but {', '.join(_HEAD)} is taken from there."
        )


def run(context: Context, alternate: Callable[..., int]) -> int:
    """Pool, train the video-level half, and put the model together; return the exit code.

    Args:
      context: of the whole run.
      alternate: `yt8m.largescale.alternating.trainer.train`.
    """
    config, run_folder = context.config, context.run
    with context.strategy.scope():
        network = _frame_network(config)
    patterns = []
    sets = [("train", context.files, config.schema, config.training.max_bad_records)]
    sets.append(("validation", context.validation.files, context.validation.schema, 0))
    for name, files, schema, bad in sets:
        folder = run_folder.file(ALTERNATION, "pooled", name)
        batch = context.validation.batch_size
        made = pool_records(
            context.executor,
            network,
            files,
            schema,
            folder,
            batch,
            bad,
            context.stop,
            context.log.say,
        )
        if made is None:
            context.log.say("stopped by a signal; the same command resumes")
            return 128 + (context.stop.number or 0)
        patterns.append(os.path.join(folder, "*.tfrecord"))
    width = int(network.pooled_frames(network.example_inputs()).shape[-1])
    code = alternate(
        _video_config(config, network, width, *patterns),
        run_folder.file(VIDEO_RUN),
        strategy=context.strategy,
    )
    if code:
        return code
    _finish(context, network)
    return 0


def _frame_network(config: RunConfig) -> Yt8mModel:
    """Return the trained model whose frame network is kept.

    Raises:
      UserError: there is none, or it does not fit.
    """
    other, model, path = load_run(
        config.alternation.frame_network, _FLAG, config.training.dtype
    )
    _check_fits(config, other, path)
    return model


def _arguments(config: RunConfig, network: Yt8mModel) -> dict[str, Any]:
    """Return the whole model's arguments: the frame network's, which need not be given again, and this run's."""
    return {
        **{k: v for k, v in network.get_config().items() if k not in _DATA},
        **config.model.arguments,
    }


def _video_config(
    config: RunConfig, network: Yt8mModel, width: int, train: str, validation: str
) -> RunConfig:
    """Return the settings of the video-level half's own run, whose layers fit the whole model's."""
    name = VIDEO_HALF[config.model.name]
    arguments: dict[str, Any] = {
        k: v for k, v in _arguments(config, network).items() if k in _SHARED
    }
    arguments.update(input_norm="none", input_batch_norm=False)
    return dataclasses.replace(
        config,
        schema=pooled_schema(config.schema, width),
        model=ModelConfig(name, arguments),
        recipe=dataclasses.replace(config.recipe, train_frames=0),
        training=dataclasses.replace(
            config.training, train_data_pattern=train, eval_data_pattern=validation
        ),
        alternation=dataclasses.replace(config.alternation, frame_network=""),
    )


def _finish(context: Context, network: Yt8mModel) -> None:
    """Put the frame network and the best video-level half together, validate the whole on frames, and save it."""
    config, run_folder = context.config, context.run
    video_run = RunFolder(run_folder.file(VIDEO_RUN))
    for event in video_run.logged():
        if event["event"] in ("step_begin", "iteration", "step_end"):
            run_folder.log(**event)
    own = arguments_of(video_run, BEST)
    taken = {**_arguments(config, network), **own}
    with context.strategy.scope():
        half = load_model(video_run, BEST)
        whole = make_model(dataclasses.replace(config, model=ModelConfig(config.model.name, taken)))
    copy_layers(network, whole, lambda name: name not in _HALF)
    copy_layers(half, whole, lambda name: name in _HALF)
    result = context.validation(context.validation.predictor(whole))
    about = {**metrics_of(video_run, BEST), **result}
    for folder in (BEST, "last"):
        save_model(run_folder, folder, whole, taken, about)
    run_folder.save_priors(video_run.load_priors())
    run_folder.write_text("done", "")
    context.log.event("done", best_gap=float(result["gap"]), best_after=about["after"])
    context.log.say(
        f"done: GAP {result['gap']:.4f} with the frame network of {config.alternation.frame_network}"
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
            if tuple(mine.shape) != tuple(theirs.shape):
                raise UserError(
                    f"{_FLAG}: its {name} has weights {tuple(theirs.shape)}, this model's are {tuple(mine.shape)}."
                )
            tf_variable(mine).assign(tf_variable(theirs))
