"""The command-line flags, with the starter code's names, and how they become a run's settings.

A flag without a value means "the model's recipe decides", so most defaults here are None.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
from typing import Any

from absl import flags

from yt8m.data.schema import RELEASES
from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.models.core.arguments import out_of_bounds
from yt8m.models.core.base import Yt8mModel
from yt8m.models.core.recipe import STARTER_RECIPE, Recipe
from yt8m.runs import alternation_config as alternation
from yt8m.runs.config import TrainingConfig
from yt8m.training import trainers
from yt8m.training.optimizers import decays

FLAGS = flags.FLAGS

# Flag of the recipe -> field of `Recipe`.
_RECIPE_FLAGS = {
    "optimizer": "optimizer",
    "base_learning_rate": "base_learning_rate",
    "schedule": "schedule",
    "learning_rate_decay": "learning_rate_decay",
    "learning_rate_decay_examples": "learning_rate_decay_examples",
    "warmup_examples": "warmup_examples",
    "batch_size": "batch_size",
    "num_epochs": "num_epochs",
    "clip_gradient_norm": "clip_gradient_norm",
    "global_clip_norm": "global_clip_norm",
    "weight_decay": "weight_decay",
    "weight_average": "weight_average",
    "label_loss": "label_loss",
    "iterations": "train_frames",
}

# The starter code's model flags -> what they are; each model maps those it knows to its arguments.
_MODEL_FLAGS = {
    "moe_num_mixtures": (int, "experts a class, without the dummy expert"),
    "lstm_cells": (int, "units of an LSTM layer"),
    "lstm_layers": (int, "LSTM layers"),
    "dbof_cluster_size": (int, "width of DBoF's frame-level layer"),
    "dbof_hidden_size": (int, "width of DBoF's video-level layer"),
    "dbof_pooling_method": (str, "average, max, l2, swap or attention"),
    "dbof_activation": (str, "sigmoid, relu or relu6"),
    "dbof_add_batch_norm": (bool, "batch normalisation in DBoF"),
    "video_level_classifier_model": (str, "head of a frame-level model: MoeModel or LogisticModel"),
}


def _define(kind: type) -> Any:
    return {int: flags.DEFINE_integer, str: flags.DEFINE_string, bool: flags.DEFINE_bool}[kind]


def define_data_flags() -> None:
    """Flags that say what the records hold; all are found from the records when not given."""
    flags.DEFINE_string(
        "feature_names",
        None,
        "comma list, in the order of concatenation; found from the records by default, without the features of whole videos"
        " in frame-level records (an embedding), which are read where they are named",
    )
    flags.DEFINE_string(
        "feature_sizes", None, "comma list parallel to --feature_names; found by default"
    )
    flags.DEFINE_bool(
        "frame_features",
        None,
        "frame-level records (true) or video-level (false); found by default",
    )
    flags.DEFINE_bool("segment_labels", False, "read rated five-second segments (2019 release)")
    flags.DEFINE_integer(
        "num_classes",
        None,
        "K; by default a vocabulary.csv beside the records, else the release's",
        1,
    )
    flags.DEFINE_enum(
        "release", None, sorted(RELEASES), "K by the name of a release, in place of --num_classes"
    )
    flags.DEFINE_integer("max_frames", 300, "T, frames kept of a video", 1)
    flags.DEFINE_string("vocabulary_file", "", "vocabulary.csv, for class names and label priors")


def define_training_flags() -> None:
    """Flags of train.py."""
    define_data_flags()
    F = flags
    F.DEFINE_string(
        "train_dir", None, "the run's folder; default runs/<model>. The same command resumes"
    )
    F.DEFINE_string(
        "train_data_pattern",
        "",
        "comma list of globs of training records; empty: make and use the synthetic sample",
    )
    F.DEFINE_string("eval_data_pattern", "", "records to validate on after each epoch")
    F.DEFINE_string("model", "LogisticModel", "see --list_models")
    F.DEFINE_enum("trainer", trainers.AUTO, list(trainers.NAMES), trainers.HELP)
    F.DEFINE_bool("list_models", False, "print every model with a line each, and end")
    F.DEFINE_bool(
        "start_new_model", False, "delete what --train_dir holds of an earlier run, and start over"
    )
    F.DEFINE_multi_string(
        "model_option", [], "NAME=VALUE, a constructor argument of the model; may be repeated"
    )
    F.DEFINE_bool(
        "starter_defaults", False, "the starter code's values in place of the model's recipe"
    )
    for name, (kind, text) in _MODEL_FLAGS.items():
        _define(kind)(name, None, text)
    F.DEFINE_string(
        "optimizer",
        None,
        "Adam, AdamW, LAMB, SGD (momentum 0.9), Adagrad, Adadelta, Ftrl, GradientDescent, RMSprop, or what"
        " tensorflow-addons has where it is installed",
    )
    F.DEFINE_float("base_learning_rate", None, "learning rate after the warm-up", 0.0)
    F.DEFINE_enum(
        "schedule",
        None,
        ["cosine", "exponential", "exponential_continuous", "constant"],
        "of the learning rate, by examples seen",
    )
    F.DEFINE_float("learning_rate_decay", None, "factor of the exponential schedules")
    F.DEFINE_integer(
        "learning_rate_decay_examples",
        None,
        "examples a decay: at once by exponential, little by little by exponential_continuous",
        1,
    )
    F.DEFINE_integer("warmup_examples", None, "linear warm-up, in examples", 0)
    F.DEFINE_integer("batch_size", None, "examples a step, over all replicas", 1)
    F.DEFINE_integer("num_epochs", None, "passes over the training records", 1)
    F.DEFINE_integer("max_steps", 0, "stop after this many steps; 0: no limit", 0)
    F.DEFINE_float(
        "clip_gradient_norm",
        None,
        "norm limit of each variable's gradient, after the all-reduce; 0: off",
    )
    F.DEFINE_float(
        "global_clip_norm", None, "norm limit of the whole gradient, after the all-reduce; 0: off"
    )
    F.DEFINE_float("weight_decay", None, "of AdamW and LAMB", 0.0)
    F.DEFINE_float(
        "weight_average",
        None,
        "decay of the averaged weights, which are what is evaluated; 0: off",
        0.0,
        1.0,
    )
    F.DEFINE_string(
        "label_loss",
        None,
        "CrossEntropyLoss (the starter code's, with its 1e-5), BinaryCrossEntropyLoss (without), FocalLoss, HingeLoss, SoftmaxLoss or SmoothedSoftmaxLoss",
    )
    F.DEFINE_float("regularization_penalty", 1.0, "weight of the models' L2 and auxiliary terms")
    F.DEFINE_bool(
        "balanced_batches",
        False,
        "draw a class uniformly, then one of its videos, so that classes come equally often",
    )
    F.DEFINE_float(
        "label_weight_power",
        0.0,
        "beta: a class with n positives weighs n^-beta in the training loss; 0: off",
        0.0,
    )
    F.DEFINE_enum(
        "label_noise",
        "",
        ["", "remove", "complete"],
        "train without some labels of each class, or with more of them",
    )
    F.DEFINE_float(
        "label_noise_fraction",
        0.05,
        "of each class's positives to remove, or to add to them",
        0.0,
        1.0,
    )
    F.DEFINE_string(
        "label_noise_scores",
        "",
        "scores of the training records (inference.py --output_scores) by which labels are removed or added; empty: at random",
    )
    F.DEFINE_integer("iterations", None, "frames drawn from a video in training; 0: all", 0)
    F.DEFINE_bool(
        "sample_random_frames", None, "draw single frames (true) or one contiguous run (false)"
    )
    F.DEFINE_integer("eval_frames", 0, "evenly spaced frames in validation; 0: all", 0)
    F.DEFINE_string("priors_from", "", "folder of an earlier run whose label priors to start from")
    F.DEFINE_string(
        "init_from",
        "",
        "folder of an earlier run, whose best (else last) weights this one starts with; models say which they take",
    )
    F.DEFINE_enum(
        "strategy",
        "auto",
        ["auto", "one", "mirrored", "multi_worker", "tpu"],
        "tf.distribute strategy",
    )
    F.DEFINE_integer("num_gpu", 0, "GPUs to use at most; 0: all", 0)
    F.DEFINE_enum(
        "dtype", "float32", ["float32", "bfloat16"], "of the computation; weights stay float32"
    )
    F.DEFINE_bool("jit_compile", False, "compile the forward and backward pass with XLA")
    F.DEFINE_integer(
        "steps_per_call", 1, "steps a call of the compiled loop; more pays off on GPUs and TPUs", 1
    )
    F.DEFINE_integer("seed", 0, "of the initial weights and the data order", 0, 2**32 - 1)
    F.DEFINE_integer(
        "patience", 0, "stop after so many epochs without a better validation GAP; 0: never", 0
    )
    F.DEFINE_float(
        "min_gain",
        0.0,
        "--patience counts an epoch as better if its GAP gained more than this",
        0.0,
    )
    F.DEFINE_integer("eval_batch_size", 0, "validation batch; 0: that of training", 0)
    F.DEFINE_integer("top_k", 20, "labels a video that enter GAP and MAP", 1)
    F.DEFINE_integer("num_readers", 8, "shards read side by side", 1)
    F.DEFINE_string(
        "cache", "", 'keep records for later epochs: "memory", or a local folder (for gs:// data)'
    )
    F.DEFINE_integer("shuffle_buffer", 0, "records shuffled together; 0: by level", 0)
    F.DEFINE_integer("max_bad_records", 100, "broken training records to skip before giving up", 0)
    F.DEFINE_float(
        "checkpoint_minutes",
        10.0,
        "time between checkpoints; one is always written at the end of an epoch",
        0.0,
    )
    F.DEFINE_integer(
        "export_model_steps", 0, "steps between checkpoints, beside --checkpoint_minutes; 0: off", 0
    )
    F.DEFINE_integer(
        "keep_checkpoints", 2, "checkpoints kept for resuming, beside the best model", 1
    )
    F.DEFINE_bool("log_device_placement", False, "print on which device each operation runs")
    F.DEFINE_float("progress_seconds", 10.0, "time between progress lines", 0.0)
    define_alternation_flags()


def define_alternation_flags() -> None:
    """Flags of --trainer=alternating."""
    for field in dataclasses.fields(alternation.AlternationConfig):
        name, default, text = (
            field.name,
            field.default,
            f"alternating trainer: {alternation.HELP[field.name]}",
        )
        if name in alternation.CHOICES:
            flags.DEFINE_enum(name, default, list(alternation.CHOICES[name]), text)
        elif isinstance(default, bool):
            flags.DEFINE_bool(name, default, text)
        elif isinstance(default, int):
            flags.DEFINE_integer(name, default, text, alternation.LEAST.get(name, 0))
        elif isinstance(default, float):
            flags.DEFINE_float(name, default, text, 0.0)
        else:
            flags.DEFINE_string(name, default, text)


def alternation_from_flags(trainer: str) -> alternation.AlternationConfig | None:
    """Return the alternating trainer's settings, or None for another trainer.

    Raises:
      UserError: one of its flags was given to another trainer.
    """
    names = [f.name for f in dataclasses.fields(alternation.AlternationConfig)]
    if trainer == "alternating":
        return alternation.AlternationConfig(**{name: FLAGS[name].value for name in names})
    given = [f"--{name}" for name in names if FLAGS[name].present]
    if given:
        raise UserError(
            f"{', '.join(given)}: only for --trainer=alternating, and this run's trainer is {trainer}."
        )
    return None


def num_classes() -> int | None:
    """Return K as --num_classes or --release says it; None where neither was given.

    Raises:
      UserError: they contradict each other.
    """
    given, release = FLAGS.num_classes, FLAGS.release
    if release and given not in (None, RELEASES[release]):
        raise UserError(
            f"--num_classes={given}, but --release={release} has {RELEASES[release]}; drop one of the two."
        )
    return RELEASES[release] if release else given


def split_list(text: str | None) -> list | None:
    """Split a comma list flag; None stays None."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def sizes_list(text: str | None) -> list | None:
    """Split --feature_sizes into integers."""
    try:
        return None if text is None else [int(part) for part in split_list(text) or []]
    except ValueError:
        raise UserError(
            f"--feature_sizes={text} is not a comma list of integers, such as 1024,128."
        )


def recipe_from_flags(model: type[Yt8mModel]) -> Recipe:
    """Return the model's recipe, or the starter's, with every flag that was given.

    Raises:
      UserError: a weight decay for an optimizer that has none.
    """
    base = STARTER_RECIPE.updated(model.starter_recipe) if FLAGS.starter_defaults else model.recipe
    values: dict[str, Any] = {field: FLAGS[flag].value for flag, field in _RECIPE_FLAGS.items()}
    if FLAGS.sample_random_frames is not None:
        values["frame_sampling"] = "random" if FLAGS.sample_random_frames else "contiguous"
    recipe = base.updated(values)
    if FLAGS.weight_decay and not decays(recipe.optimizer):
        raise UserError(
            f"--weight_decay={FLAGS.weight_decay} is of AdamW and LAMB, and this run's optimizer is {recipe.optimizer};"
            " give --optimizer=AdamW, or drop it."
        )
    return recipe


def model_arguments_from_flags(name: str, model: type[Yt8mModel]) -> dict[str, Any]:
    """Return the constructor arguments given by starter flags and by --model_option.

    Raises:
      UserError: an option that the model does not have, or a whole number that is out of bounds.
    """
    arguments: dict[str, Any] = dict(model.starter_arguments) if FLAGS.starter_defaults else {}
    if FLAGS.init_from:
        arguments.update(model.initialized_arguments)
    known = constructor_arguments(model)
    for flag in _MODEL_FLAGS:
        value = FLAGS[flag].value
        if value is None:
            continue
        if flag not in model.starter_flags:
            offered = (
                ", ".join(f"--{f}" for f in model.starter_flags)
                or "none of the starter code's model flags"
            )
            raise UserError(
                f"--{flag} is not for --model={name}, which takes {offered}; its options are {', '.join(known)}."
            )
        wrong = out_of_bounds(model, model.starter_flags[flag], value)
        if wrong:
            raise UserError(f"--{flag}={value}: {wrong}.")
        arguments[model.starter_flags[flag]] = value
    for option in FLAGS.model_option:
        key, equals, text = option.partition("=")
        if not equals or key not in known:
            raise UserError(
                f"--model_option={option} is not for --model={name}: NAME=VALUE, NAME one of {', '.join(known)}."
            )
        try:
            arguments[key] = json.loads(text.lower() if text in ("True", "False") else text)
        except ValueError:
            arguments[key] = text
        wrong = out_of_bounds(model, key, arguments[key])
        if wrong:
            raise UserError(f"--model_option={option}: {wrong}.")
    return arguments


def constructor_arguments(model: type[Yt8mModel]) -> list:
    """Return the names of a model's own constructor arguments, without those that the data decide."""
    names: list = []
    for cls in model.__mro__:
        if issubclass(cls, Yt8mModel) and "__init__" in vars(cls):
            names += [p for p in inspect.signature(cls.__init__).parameters if p not in names]
    return [
        n
        for n in names
        if n not in ("self", "num_classes", "feature_sizes", "video_sizes", "args", "kwargs")
    ]


def training_from_flags(model: type[Yt8mModel]) -> TrainingConfig:
    """Return how the run reads, computes and stops."""
    values = {f.name: FLAGS[f.name].value for f in dataclasses.fields(TrainingConfig)}
    if values["trainer"] == trainers.AUTO:
        values["trainer"] = model.trainer
    return TrainingConfig(**values)


def define_segment_flags() -> None:
    """Flags of what ranks five-second segments."""
    flags.DEFINE_integer(
        "segment_max_pred", 0, "segments a class at most; 0: 100,000, as in the challenge", 0
    )
    flags.DEFINE_string(
        "segment_label_ids_file",
        "",
        "segment_label_ids.csv, the classes to rank; path or http address; empty: all classes",
    )


def define_overrides() -> None:
    """Flags that the starter code's eval and inference take or took; the run knows them, and refuses others than its own."""
    for name, (kind, _) in _MODEL_FLAGS.items():
        _define(kind)(name, None, "checked against the run")
    flags.DEFINE_integer(
        "iterations", None, "checked against the run's training; here see --eval_frames", 0
    )
    flags.DEFINE_bool(
        "sample_random_frames",
        None,
        "checked against the run's training; here frames are never drawn",
    )
    flags.DEFINE_string("model", None, "checked against the run")
    flags.DEFINE_string("feature_names", None, "checked against the run")
    flags.DEFINE_string("feature_sizes", None, "checked against the run")
    flags.DEFINE_bool("frame_features", None, "checked against the run")
    flags.DEFINE_integer("num_classes", None, "checked against the run")
    flags.DEFINE_string("label_loss", None, "checked against the run")
    flags.DEFINE_bool(
        "segment_labels",
        None,
        "five-second segments, also by a run on whole videos; by default as the run was trained",
    )


def given_overrides() -> dict[str, Any]:
    """Return the values of `define_overrides`' flags, None where not given."""
    model = FLAGS["model"].value
    return {
        "model": None if model is None else registry.own_name(model),
        "feature_names": split_list(FLAGS["feature_names"].value),
        "feature_sizes": sizes_list(FLAGS["feature_sizes"].value),
        **{
            n: FLAGS[n].value
            for n in ("frame_features", "num_classes", "label_loss", "segment_labels")
        },
        **{n: FLAGS[n].value for n in ("iterations", "sample_random_frames", *_MODEL_FLAGS)},
    }
