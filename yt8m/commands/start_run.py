"""Begin or resume a training run, from the command line or from Python."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf

from yt8m import hub, listing, locks
from yt8m.data.files.cache import open_cache
from yt8m.data.files.shards import find_shards
from yt8m.errors import UserError
from yt8m.models.core import registry
from yt8m.runs.build import schema_like
from yt8m.runs.config import RunConfig
from yt8m.runs.devices.dtype import ChosenDtype, choose_dtype, dtype_of_all
from yt8m.runs.devices.machine import this_machine
from yt8m.runs.devices.strategy import make_strategy
from yt8m.runs.devices.used import UsedDevices, announce
from yt8m.runs.devices.workers import any_worker, is_chief, refuse_workers
from yt8m.runs.folder import RunFolder
from yt8m.runs.new_run import new_run
from yt8m.training import label_experiments, trainers
from yt8m.training.optimizers import decays
from yt8m.training.warm_start import initial_weights
from yt8m.training.window import weights as window


@dataclasses.dataclass(frozen=True)
class Devices:
    """Where a run computes, and in which type."""

    strategy: tf.distribute.Strategy
    dtype: ChosenDtype


def open_devices(
    model: str,
    settings: Mapping[str, Any],
    train_dir: str,
    start_new_model: bool = False,
    starter_defaults: bool = False,
) -> Devices:
    """Return where a run will compute, and print it, which is a training command's first line.

    Args:
      model: registered name or alias.
      settings: the given settings of the run; see `new_run`.
      train_dir: folder of the run.
      start_new_model: an earlier run in `train_dir` will be deleted.
      starter_defaults: use the starter code's values, which include its type.

    Raises:
      UserError: the model is not known, the requested hardware is not available, or `train_dir` is
        on a hub.
    """
    hub.refuse_to_write(train_dir, "--train_dir")
    trainer = settings.get("trainer", "auto")
    if trainer == "auto":
        trainer = registry.model_class(model).trainer
    refuse_workers(trainer, settings.get("strategy", "auto"))
    strategy = make_strategy(settings.get("strategy", "auto"), settings.get("num_gpu", 0))
    used, asked = UsedDevices.of(strategy), settings.get("dtype", "auto")
    if asked != "auto":
        dtype = ChosenDtype(asked)
    else:
        before = None if start_new_model else _stored(train_dir)
        began = before.training.dtype if before else ""
        dtype = ChosenDtype(began or "float32")
        if not began and not starter_defaults:
            dtype = dtype_of_all(strategy, choose_dtype(used.kind, this_machine()))
    steps = settings.get("steps_per_call", 0) if trainer == "joint" else None
    announce(used, dtype, steps)
    return Devices(strategy, dtype)


def _stored(train_dir: str) -> RunConfig | None:
    """Return the settings of the run in a folder, or None if there is none."""
    run = RunFolder(train_dir)
    # A folder that cannot be read is reported where it is to be written.
    with contextlib.suppress(tf.errors.OpError, OSError):
        return run.load_config() if run.exists() else None
    return None


@listing.asked_once()
def start_run(
    model: str,
    train_data: str,
    eval_data: str,
    train_dir: str,
    devices: Devices,
    start_new_model: bool = False,
    **settings: Any,
) -> int | None:
    """Train, or resume the run in `train_dir`; return the exit code, None for 0.

    Args:
      model: registered name or alias.
      train_data: comma-separated glob patterns of the training records.
      eval_data: those of the validation records; empty for none.
      train_dir: folder of the run.
      devices: where to compute, and in which type.
      start_new_model: delete an earlier run in `train_dir`.
      **settings: for `new_run`.

    Raises:
      UserError: a setting is wrong, the records do not match the model, or `train_dir` contains
        another run.
    """
    settings["dtype"] = devices.dtype.dtype
    before = None if start_new_model else _stored(train_dir)
    run = new_run(model, train_data, eval_data, before=before, **settings)
    optimizer = run.config.recipe.optimizer
    if settings.get("weight_decay") and not decays(optimizer):
        raise UserError(
            f"--weight_decay={settings['weight_decay']} applies only to AdamW and LAMB, but this"
            f" run's optimizer is {optimizer}; set --optimizer=AdamW, or drop --weight_decay."
        )
    print(run.found, flush=True)
    logs = os.path.join(train_dir, "logs")
    print(f"the run goes to {train_dir}, and its curves for TensorBoard to {logs}", flush=True)
    label_experiments.check(run.config)
    window.check(run.config)
    initial_weights.check(run.config)
    training = run.config.training
    # Refused here, before the trainer deletes an earlier run.
    open_cache(training.cache, training.cache_dir, training.cache_gb, find_shards(train_data))
    if eval_data:
        files = find_shards(eval_data, "--eval_data_pattern")
        schema_like(run.config, files, "--eval_data_pattern")
    train = trainers.get(training.trainer)
    chosen = {
        "devices": UsedDevices.of(devices.strategy).facts(),
        **({"dtype_because": devices.dtype.because} if devices.dtype.because else {}),
    }
    config = dataclasses.replace(run.config, facts={**run.config.facts, **chosen})
    with _only_here(train_dir, devices.strategy):
        return train(config, train_dir, start_new_model, devices.strategy)


@contextlib.contextmanager
def _only_here(train_dir: str, strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Let no other process train the run in this context; of several workers, the chief sees to it.

    Raises:
      UserError: another process trains it. All workers raise it: one that went on would wait for
        the others.
    """
    with contextlib.ExitStack() as locked:
        problem = None
        if is_chief(strategy):
            try:
                lock = locks.held(locks.inside(train_dir), f"--train_dir={train_dir}")
                locked.enter_context(lock)
                RunFolder(train_dir).remove_unfinished()
            except UserError as error:
                problem = error
        if any_worker(strategy)(problem is not None):
            raise problem or UserError(
                f"the first worker cannot have --train_dir={train_dir} for itself; its message"
                " says why."
            )
        yield
