"""Begin or resume a training run, from the command line or from Python."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from yt8m import hub
from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.runs.devices.strategy import make_strategy
from yt8m.runs.devices.used import UsedDevices, announce
from yt8m.runs.new_run import new_run
from yt8m.training import label_experiments, trainers
from yt8m.training.optimizers import decays


def open_devices(model: str, settings: Mapping[str, Any]) -> tf.distribute.Strategy:
    """Return where a run will compute, and print it, which is a training command's first line.

    Args:
      model: registered name or alias.
      settings: the given settings of the run; see `new_run`.

    Raises:
      UserError: the model is not known, or the requested hardware is not available.
    """
    trainer = settings.get("trainer", "auto")
    if trainer == "auto":
        trainer = registry.model_class(model).trainer
    strategy = make_strategy(settings.get("strategy", "auto"), settings.get("num_gpu", 0))
    steps = settings.get("steps_per_call", 0) if trainer == "joint" else None
    announce(UsedDevices.of(strategy), settings.get("dtype", "float32"), steps)
    return strategy


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
    facts = {**run.config.facts, "devices": UsedDevices.of(devices).facts()}
    config = dataclasses.replace(run.config, facts=facts)
    return train(config, train_dir, start_new_model, devices)
