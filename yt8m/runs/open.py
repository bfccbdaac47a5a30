"""The start of a training command: a new run in its folder, or the run already there."""

from __future__ import annotations

import dataclasses
import os

import tensorflow as tf

from yt8m import stored
from yt8m.errors import UserError
from yt8m.runs.classes.names import keep_names
from yt8m.runs.config import CONFIG_FILE, RunConfig, check_same_keras, check_same_run
from yt8m.runs.devices.workers import any_worker, is_chief
from yt8m.runs.folder import BEST, LAST, WEIGHTS, RunFolder

# Shards that are read together and serialised records in the buffer, by level.
_SHUFFLE = {"video": (8, 16384), "frame": (8, 1024)}


def open_run(
    config: RunConfig,
    train_dir: str,
    start_new_model: bool = False,
    strategy: tf.distribute.Strategy | None = None,
) -> tuple[RunConfig, RunFolder, bool]:
    """Open the folder of a run for training.

    With several workers, the chief deletes an earlier run and the others wait: two processes that
    delete the same files would fail, and one that looks too early would find the old run done.

    Args:
      config: the requested settings.
      train_dir: the run's folder; it need not exist.
      start_new_model: delete an earlier run there first.
      strategy: where the run computes, if it is made already.

    Returns:
      The settings, with the run's own facts and phases; the folder; and whether the run is done
      and nothing has changed.

    Raises:
      UserError: the folder contains a run with other settings, or cannot be written, or the run to
        be deleted is needed.
    """
    run = RunFolder(train_dir)
    if start_new_model:
        _delete(config, run, strategy)
    run.make()
    if not run.exists():
        return _with_shuffle(config, None), run, False
    old = run.load_config()
    config = _with_shuffle(config, old)
    changes = check_same_run(old, config, train_dir)
    done = run.is_done()
    if changes or not done:
        check_same_keras(old, config, train_dir)
    if changes:
        print(changes, flush=True)
    elif done and not _has_model(run):
        done = False
    elif done:
        print(
            f"the run in {train_dir} is already done; --start_new_model trains it again.",
            flush=True,
        )
    kept = dataclasses.replace(config, facts=old.facts, phases=old.phases)
    return kept, run, done and not changes


def _has_model(run: RunFolder) -> bool:
    """Whether a finished run still has a model; if not, it is taken up again to write one.

    Raises:
      UserError: it has no checkpoint either.
    """
    if any(stored.exists(run.file(name, WEIGHTS)) for name in (BEST, LAST)):
        return True
    gone = f"the run in {run.path} was done, but its model is neither in {BEST}/ nor in {LAST}/"
    if not tf.io.gfile.exists(run.file("checkpoints")):
        raise UserError(f"{gone}, and it has no checkpoint; --start_new_model trains it again.")
    print(f"{gone}: it is written again from the last checkpoint", flush=True)
    return False


def keep_settings(run: RunFolder, config: RunConfig) -> None:
    """Write the settings of a run that has begun, and the names of its classes beside them."""
    keep_names(run, config)  # First: the settings are the sign that the folder contains a run.
    run.write_text(CONFIG_FILE, config.to_json())


def _with_shuffle(config: RunConfig, old: RunConfig | None) -> RunConfig:
    """Return the settings with a shuffle in place of the automatic one.

    It is that of the run which is resumed, whatever the defaults were when it began: its position
    in the data counts only in the same order.
    """
    t = config.training
    if old is not None:
        shards, buffer = old.training.shuffle_shards, old.training.shuffle_buffer
    elif t.trainer == "partitioned":  # which does not shuffle records
        return config
    else:
        shards, buffer = _SHUFFLE[config.schema.level]
    training = dataclasses.replace(
        t,
        shuffle_buffer=t.shuffle_buffer or buffer,
        shuffle_shards=t.shuffle_shards or shards,
    )
    return dataclasses.replace(config, training=training)


def _delete(config: RunConfig, run: RunFolder, strategy: tf.distribute.Strategy | None) -> None:
    for flag in ("init_from", "priors_from"):
        if _same_folder(getattr(config.training, flag), run.path):
            raise UserError(
                f"--start_new_model would delete --{flag}={run.path}, which this run needs;"
                " name another --train_dir."
            )
    if strategy is None or is_chief(strategy):
        run.delete()
    if strategy is not None:
        any_worker(strategy)(True)


def _same_folder(a: str, b: str) -> bool:
    here, there = (path.rstrip("/") if "://" in path else os.path.realpath(path) for path in (a, b))
    return bool(a) and here == there
