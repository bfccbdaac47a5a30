"""Refusal of what `--trainer=partitioned` cannot do, before anything is computed."""

from __future__ import annotations

import tensorflow as tf

from yt8m.data.files.reader import SHARDS
from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import RunFolder

# Why a flag is refused.
_REASONS = {
    "--patience": "groups end at different times and have no GAP to compare; use --num_epochs",
    "--jit_compile": "a step consists of blocks that are already compiled",
    "--init_from": "groups start from the label priors",
    "--segment_labels": "rated segments have weights, which are not stored with features",
    "--cache=memory": "features are stored on disk; name a local folder",
    "--cache_dir": "features are stored on disk; --cache names their folder",
    "--cache_gb": "features are stored on disk, all of them",
    "--shuffle_buffer": "features are shuffled in windows of 256 MB, not records",
    "--shuffle_shards": "features are shuffled in windows of 256 MB, not records",
    "--validate_every_minutes": "there is no complete model before the end",
    "--validate_examples": "it validates once; name fewer records with --eval_data_pattern",
    "--strategy": "it computes on one device",
    "--extend": "all groups of a model are trained equally long",
}


def check_settings(config: RunConfig, strategy: tf.distribute.Strategy | None = None) -> None:
    """Refuse a model or a setting that this trainer does not support.

    Raises:
      UserError: names the flag.
    """
    training, name = config.training, config.model.name
    if not _can_be_partitioned(name):
        able = ", ".join(filter(_can_be_partitioned, registry.list_models()))
        raise UserError(
            f"--trainer=partitioned is for models whose classes share no weights: {able}, not"
            f" --model={name}."
        )
    given = {
        "--patience": training.patience,
        "--jit_compile": training.jit_compile,
        "--init_from": training.init_from,
        "--segment_labels": config.schema.segment_labels,
        "--cache=memory": training.cache == "memory",
        "--cache_dir": training.cache_dir,
        "--cache_gb": training.cache_gb,
        "--shuffle_buffer": training.shuffle_buffer,
        "--shuffle_shards": training.shuffle_shards not in (0, SHARDS),
        "--validate_every_minutes": training.validate_every_minutes,
        "--validate_examples": training.validate_examples,
        "--strategy": strategy is not None and strategy.num_replicas_in_sync > 1,
        "--extend": config.session.extend is not None,
    }
    for flag in filter(given.get, given):
        raise UserError(f"{flag} does not work with --trainer=partitioned: {_REASONS[flag]}.")


def _can_be_partitioned(name: str) -> bool:
    return hasattr(registry.model_class(name), "head_features")


def check_earlier(config: RunConfig, run: RunFolder) -> None:
    """Refuse to continue an earlier run of the folder with settings that would restart it.

    Raises:
      UserError: names the flag.
    """
    before = run.load_config()
    epochs, steps = before.recipe.num_epochs, before.training.max_steps
    if (epochs, steps) != (config.recipe.num_epochs, config.training.max_steps):
        raise UserError(
            f"--train_dir={run.path} was begun with num_epochs={epochs} and max_steps={steps}, and"
            " all groups of a model are trained equally long. Set those values, or add"
            " --start_new_model."
        )
    # The groups of a finished run are gone, and no setting that may change would change its model.
    if run.is_done() and before.training.eval_data_pattern != config.training.eval_data_pattern:
        raise UserError(
            f"--eval_data_pattern: the run in {run.path} is done and was not validated;"
            f" eval.py --train_dir={run.path} validates it, and --start_new_model trains it again."
        )
