"""What `--trainer=partitioned` cannot do, refused before anything is computed."""

from __future__ import annotations

import tensorflow as tf

from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import RunFolder


def check_settings(config: RunConfig, strategy: tf.distribute.Strategy | None = None) -> None:
    """Refuse a model or a setting that this trainer does not support.

    Raises:
      UserError: names the flag.
    """
    training, name = config.training, config.model.name
    able = [m for m in registry.list_models() if hasattr(registry.model_class(m), "head_features")]
    if name not in able:
        raise UserError(
            "--trainer=partitioned is for models whose classes share no weights:"
            f" {', '.join(able)}, not --model={name}."
        )
    replicas = strategy.num_replicas_in_sync if strategy is not None else 1
    refused = [
        (
            training.patience,
            "--patience",
            "groups end at different times, so there is no GAP to wait for; use --num_epochs",
        ),
        (
            training.jit_compile,
            "--jit_compile",
            "a step consists of blocks that are compiled already",
        ),
        (training.init_from, "--init_from", "groups start from the label priors"),
        (
            config.schema.segment_labels,
            "--segment_labels",
            "rated segments have weights, which are not kept with features",
        ),
        (
            training.cache == "memory",
            "--cache=memory",
            "features are kept on disk; name a local folder",
        ),
        (
            training.shuffle_buffer,
            "--shuffle_buffer",
            "features are shuffled in windows of 256 MB, not records",
        ),
        (replicas > 1, "--strategy", "it computes on one device"),
    ]
    for given, flag, why in refused:
        if given:
            raise UserError(f"{flag} does not work with --trainer=partitioned: {why}.")


def check_earlier(config: RunConfig, run: RunFolder) -> None:
    """Refuse to continue an earlier run of the folder with settings that would begin it anew.

    Raises:
      UserError: names the flag.
    """
    before = run.load_config()
    epochs, steps = before.recipe.num_epochs, before.training.max_steps
    if (epochs, steps) != (config.recipe.num_epochs, config.training.max_steps):
        raise UserError(
            f"--train_dir={run.path} was begun with num_epochs={epochs} and max_steps={steps}: the"
            " groups of a model are trained equally long. Give those values, or --start_new_model."
        )
    # The groups of a finished run are gone, and no setting that may change would change its model.
    if run.is_done() and before.training.eval_data_pattern != config.training.eval_data_pattern:
        raise UserError(
            f"--eval_data_pattern: the run in {run.path} is done and was not validated;"
            f" eval.py --train_dir={run.path} validates it, and --start_new_model trains it again."
        )
