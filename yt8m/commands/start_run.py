"""Begin or resume a training run, from the command line or from Python."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from yt8m import hub
from yt8m.errors import UserError
from yt8m.runs.new_run import new_run
from yt8m.training import label_experiments, trainers
from yt8m.training.optimizers import decays


def start_run(
    model: str,
    train_data: str,
    eval_data: str,
    train_dir: str,
    devices: tf.distribute.Strategy,
    start_new_model: bool = False,
    **settings: Any,
) -> int | None:
    """Train, or resume the run in `train_dir`; return the exit code, None for 0.

    Args:
      model: registered name or alias.
      train_data: comma-separated glob patterns of the training records.
      eval_data: those of the validation records; empty for none.
      train_dir: folder of the run.
      devices: where to compute.
      start_new_model: delete an earlier run in `train_dir`.
      **settings: for `new_run`.

    Raises:
      UserError: a setting is wrong, the records do not match the model, or `train_dir` contains
        another run.
    """
    hub.refuse_to_write(train_dir, "--train_dir")
    run = new_run(model, train_data, eval_data, **settings)
    optimizer = run.config.recipe.optimizer
    if settings.get("weight_decay") and not decays(optimizer):
        raise UserError(
            f"--weight_decay={settings['weight_decay']} applies only to AdamW and LAMB, but this"
            f" run's optimizer is {optimizer}; set --optimizer=AdamW, or drop --weight_decay."
        )
    print(run.found, flush=True)
    label_experiments.check(run.config)
    train = trainers.get(run.config.training.trainer)
    return train(run.config, train_dir, start_new_model, devices)
