"""A run's model, and facts about its records and its environment."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m import __version__
from yt8m.compat import KERAS_VERSION
from yt8m.data.files.shards import fingerprint
from yt8m.data.find_schema import find_schema
from yt8m.data.schema import RecordSchema
from yt8m.errors import UserError
from yt8m.losses.registry import check_output
from yt8m.models.core import registry
from yt8m.models.core.base import Yt8mModel
from yt8m.models.core.recipe import Recipe
from yt8m.runs.config import RunConfig
from yt8m.runs.settings.training import Dtype


def facts(files: list[str], eval_files: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a run records when it begins: versions, data and the command."""
    return {
        "yt8m": __version__,
        "python": sys.version.split()[0],
        "tensorflow": tf.__version__,
        "keras": KERAS_VERSION,
        "numpy": np.__version__,
        "data": fingerprint(files),
        **({"eval_data": fingerprint(list(eval_files))} if eval_files else {}),
        "command": sys.argv,
    }


def check_level(name: str, schema: RecordSchema, flag: str = "--train_data_pattern") -> None:
    """Refuse records whose level is not the model's, and features that the model cannot use.

    Args:
      name: the model's.
      schema: schema of the records.
      flag: the name of the records' flag in messages.

    Raises:
      UserError: they do not fit; it lists models that would.
    """
    wanted = registry.model_class(name).level
    if wanted != schema.level:
        fitting = [
            m for m in registry.list_models() if registry.model_class(m).level == schema.level
        ]
        raise UserError(
            f"--model={name} takes {wanted}-level records, but {flag} contains {schema.level}-level"
            f" ones ({', '.join(schema.feature_names)}). Name {wanted}-level files, or a model for"
            f" these: {', '.join(fitting)}."
        )
    if schema.video_names and not registry.model_class(name).takes_video_features:
        able = [m for m in registry.list_models() if registry.model_class(m).takes_video_features]
        names = ", ".join(schema.video_names)
        raise UserError(
            f"--feature_names: {names} of {flag} describes whole videos, but --model={name} takes"
            " only frames. Leave the feature out, or choose one of these models:"
            f" {', '.join(able)}."
        )


def check_batch_size(recipe: Recipe, records: int, schema: RecordSchema) -> None:
    """Refuse a batch size above that of the training set, whose only batch would be dropped.

    Raises:
      UserError: the batch size is too large.
    """
    # A record may hold several segments.
    if recipe.batch_size > records and not schema.segment_labels:
        raise UserError(
            f"--batch_size={recipe.batch_size} is larger than the number of training records,"
            f" {records:,}; lower it."
        )


@contextlib.contextmanager
def dtype_policy(dtype: Dtype) -> Iterator[None]:
    """Make layers compute in `dtype`, and restore the process's own policy afterwards.

    A layer keeps the policy under which it was made, so that models of different dtypes work side
    by side.

    Args:
      dtype: "float32" or "bfloat16" (mixed: bfloat16 computes, float32 holds the weights).
    """
    precision = tf.keras.mixed_precision
    before = precision.global_policy()
    precision.set_global_policy("mixed_bfloat16" if dtype == "bfloat16" else "float32")
    try:
        yield
    finally:
        precision.set_global_policy(before)


def make_model(config: RunConfig, dtype: Dtype | None = None) -> Yt8mModel:
    """Return the run's model with its weights built.

    Args:
      config: the run's settings.
      dtype: what the model computes in; None is the run's own.

    Raises:
      UserError: a constructor argument is out of range, or the run's loss needs another output than
        the model's.
    """
    arguments = {
        "num_classes": config.schema.num_classes,
        "feature_sizes": config.schema.feature_sizes,
        **({"video_sizes": config.schema.video_sizes} if config.schema.video_sizes else {}),
        **config.model.arguments,
    }
    try:
        with dtype_policy(dtype or config.training.dtype):
            model = registry.create(config.model.name, **arguments).build_weights()
    except (TypeError, ValueError) as error:
        raise UserError(
            f"--model={config.model.name} cannot be created with {config.model.arguments}: {error}"
        ) from None
    check_output(config.recipe.label_loss, model.sums_to_one, config.model.name)
    return model


def schema_like(
    config: RunConfig, files: list[str], flag: str, rated: bool = True
) -> tuple[RecordSchema, str]:
    """Return the schema of other files for a run's model, and a line that describes it.

    Args:
      config: the run's settings, whose features and classes the files must have.
      files: shards, whose encoding may differ from that of the run's.
      flag: the name of the files' flag in messages.
      rated: False if no labels are needed, and segments need no ratings; see
        `yt8m.data.find_schema`.

    Raises:
      UserError: the files do not fit the model.
    """
    schema, line = find_schema(
        files,
        feature_names=config.schema.all_names,
        feature_sizes=config.schema.all_sizes,
        num_classes=config.schema.num_classes,
        segment_labels=config.schema.segment_labels,
        frame_features=None,
        max_frames=config.schema.max_frames,
        flag=flag,
        num_classes_from="as in the run",
        rated=rated,
        frames_as=config.schema.frames_as,
        of_run=True,
        labelled=rated and registry.model_class(config.model.name).task == "classification",
    )
    check_level(config.model.name, schema, flag)
    return schema, line
