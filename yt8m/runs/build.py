"""From flags to a run's settings: find what the records hold, choose the recipe, and make the model as a run made it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
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

Arguments = dict[str, Any]


def facts(files: list[str], eval_files: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a run keeps about how it came to be: versions, data and the command."""
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
    """Refuse frame-level records for a video-level model, the reverse, and features that the model has no place for.

    Raises:
      UserError: they do not fit; models that would are named.
    """
    model = registry.model_class(name)
    wanted = model.level
    if wanted == schema.level:
        if schema.video_names and not model.takes_video_features:
            able = [
                m for m in registry.list_models() if registry.model_class(m).takes_video_features
            ]
            raise UserError(
                f"--feature_names: {', '.join(schema.video_names)} of {flag} is of whole videos, for which --model={name} has no"
                f" place beside its frames. Leave it out, or take one of {', '.join(able)}."
            )
        return
    fitting = [m for m in registry.list_models() if registry.model_class(m).level == schema.level]
    raise UserError(
        f"--model={name} takes {wanted}-level records, but {flag} holds {schema.level}-level ones"
        f" ({', '.join(schema.feature_names)}). Name {wanted}-level files, or a model for these: {', '.join(fitting)}."
    )


def check_batch_size(recipe: Recipe, records: int, schema: RecordSchema) -> None:
    """Refuse batches larger than the training set, whose only one would be dropped as a partial one.

    Raises:
      UserError: they are.
    """
    if recipe.batch_size > records and not schema.segment_labels:  # a record has several segments
        raise UserError(
            f"--batch_size={recipe.batch_size} is more than the {records:,} training records; lower it."
        )


def make_model(config: RunConfig) -> Yt8mModel:
    """Return the run's model with its weights built.

    Raises:
      UserError: a constructor argument is out of range, or the run's loss is not one of what the model gives.
    """
    arguments = {
        "num_classes": config.schema.num_classes,
        "feature_sizes": config.schema.feature_sizes,
        **({"video_sizes": config.schema.video_sizes} if config.schema.video_sizes else {}),
        **config.model.arguments,
    }
    try:
        model = registry.create(config.model.name, **arguments).build_weights()
    except (TypeError, ValueError) as error:
        raise UserError(
            f"--model={config.model.name} cannot be made with {config.model.arguments}: {error}"
        )
    check_output(config.recipe.label_loss, model.sums_to_one, config.model.name)
    return model


def schema_like(
    config: RunConfig, files: list, flag: str, rated: bool = True
) -> tuple[RecordSchema, str]:
    """Return the schema of other files for a run's model: its features and classes, these files' encoding.

    `rated` is False where segments need no ratings, see `find_schema`.
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
        num_classes_from="as the run has",
        rated=rated,
    )
    check_level(config.model.name, schema, flag)
    return schema, line
