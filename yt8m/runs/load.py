"""A run's model and its weights, read consistently even while the run writes the next ones."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from typing import Any

import h5py
import tensorflow as tf

from yt8m import stored
from yt8m.compat import tf_variable
from yt8m.errors import UserError
from yt8m.models.core.base import Yt8mModel
from yt8m.process.guard import reason
from yt8m.runs.build import make_model
from yt8m.runs.config import ModelConfig, RunConfig
from yt8m.runs.folder import BEST, LAST, METRICS, MODEL_FILE, STEP_1, WEIGHTS, RunFolder
from yt8m.runs.settings.training import Dtype, Which

_LARGEST = 1 << 44  # bytes of a weight file


def check_weights(path: str, shown: str = "") -> None:
    """Refuse a local weight file that is cut off or is something else, before it is passed on.

    Args:
      path: the file.
      shown: how a message names it, if it is a copy.

    Raises:
      Damaged: it cannot be opened.
    """
    with stored.intact(shown or path, "restore it from a copy, or train again."):
        h5py.File(path, "r").close()


def weights_file(run: RunFolder, which: Which = "", flag: str = "--train_dir") -> str:
    """Return the path of a run's weights: the best ones, or the last if nothing was validated.

    A published folder has one weight file, at its top.

    Args:
      run: the folder.
      which: "best" or "last"; "" chooses.
      flag: the name of the folder's flag in messages.

    Raises:
      UserError: there are none yet.
    """
    names = [which] if which else [BEST, LAST]
    for folder in map(run.file, names):
        if "://" not in folder and os.path.lexists(folder) and not os.path.isdir(folder):
            raise UserError(f"{folder} is no folder, as of a run; remove it, or restore the run.")
    # An alternating run has no model of its own before its first step, a run like any, ends.
    for folder in filter(os.path.isdir, map(run.file, names)):
        if not os.access(folder, os.X_OK):
            raise UserError(f"{folder} cannot be read (permission denied); change its permissions.")
    for name in [*names, *(os.path.join(STEP_1, name) for name in names)]:
        path = run.file(name, WEIGHTS)
        if stored.exists(path):
            return path
    published = run.publication()
    if published:
        if which in ("", published["checkpoint"]):
            return run.file(WEIGHTS)
        raise UserError(
            f"{flag}={run.path} is a published model, whose only weights are the"
            f" {published['checkpoint']} ones of its run; drop --checkpoint={which}."
        )
    raise UserError(
        f"{flag}={run.path} contains no {which or 'saved'} model yet: train.py saves one in last/"
        " with each checkpoint and at the end, and one in best/ after each validation that is the"
        " best so far."
    )


def saved_step(weights: str) -> int | None:
    """Return after how many steps a weight file was saved, or None if the run does not say."""
    return about_weights(weights).get("step")


def about_weights(weights: str) -> dict[str, Any]:
    """Return the step and the metrics of a weight file, as far as the run says them.

    The file itself contains them. `metrics.json` beside it repeats them for people to read, and is
    all that older runs have; a process that was killed may have left it one model behind.
    """
    return _belonging(weights, METRICS)


def described(weights: str) -> str:
    """Return the path of a weight file, and how far its training was if the run says that.

    It reads "last/model.weights.h5 (step 1,200 of 9,000, not validated)".
    """
    about = about_weights(weights)
    if "step" not in about:
        return weights
    of = f" of {about['steps_of_run']:,}" if "steps_of_run" in about else ""
    if "gap" in about:
        validated = f"validation GAP {about['gap']:.4f}"
    else:
        validated = f"validation loss {about['loss']:.4g}" if "loss" in about else "not validated"
    part = f" on {about['shards']} of {about['of_shards']} shards" if "shards" in about else ""
    return f"{weights} (step {about['step']:,}{of}, {validated}{part})"


def config_of(run: RunFolder, weights: str) -> RunConfig:
    """Return a run's settings, with the model arguments that one of its weight files needs."""
    config, own = run.load_config(), differing_arguments(weights)
    arguments = {**config.model.arguments, **own}
    return dataclasses.replace(config, model=ModelConfig(config.model.name, arguments))


def differing_arguments(weights: str) -> dict[str, Any]:
    """Return the constructor arguments in which a weight file's model differs from its run's.

    There are some if the model grew in training (the KDD trainer's large mixture). The weight file
    itself contains them, so that one rename switches both; `model.json` beside it repeats them for
    people to read, and is all that older runs have.
    """
    return _belonging(weights, MODEL_FILE)


def _belonging(weights: str, name: str) -> dict[str, Any]:
    """Return the JSON called `name` in a weight file, or else in the file beside it."""
    if tf.io.gfile.exists(weights):
        try:
            stored.check_size(weights, _LARGEST)  # first: a pipe would be waited for
            with (
                tf.io.gfile.GFile(weights, "rb") as remote,
                h5py.File(remote if "://" in weights else weights, "r") as f,
            ):
                if name in f and f[name].shape == ():
                    values = json.loads(f[name][()])
                    return values if isinstance(values, dict) else {}
        except Exception:  # It is no such file: `load_weights` reports it.
            pass
    path = os.path.join(os.path.dirname(weights), name)
    if not stored.exists(path):
        return {}
    return stored.read_object(path, "delete it if the weights beside it are whole.")


def load_weights(model: tf.keras.Model, path: str) -> None:
    """Read what `yt8m.runs.save.save_weights` wrote, from any file system.

    Raises:
      UserError: there is no such file, or it does not fit the model.
    """
    if not stored.exists(path):
        raise UserError(
            f"{path} does not exist: either the run has saved no model yet, or --train_dir is not a"
            " run's folder."
        )
    with tempfile.TemporaryDirectory() as folder:
        local = path
        if "://" in path:
            local = os.path.join(folder, WEIGHTS)
            tf.io.gfile.copy(path, local)
        try:
            stored.check_size(local, _LARGEST)
            _check_declared(local, model)
            model.load_weights(local)
        except OSError as error:  # HDF5 cannot open it.
            raise UserError(
                f"{path} is damaged ({reason(error)}); restore it from a copy, or use the run's"
                " other model (eval.py and inference.py: --checkpoint=last or --checkpoint=best)."
            ) from None
        except Exception as error:  # Damaged headers raise almost any class.
            raise UserError(f"{path} does not fit the run's model ({reason(error)}).") from None


def _check_declared(path: str, model: tf.keras.Model) -> None:
    """Refuse a file that would be read into much more memory than its model takes."""
    declared = 0

    def add(_: str, item: Any) -> None:
        nonlocal declared
        if isinstance(item, h5py.Dataset):
            declared += int(item.size or 0) * item.dtype.itemsize

    with h5py.File(path, "r") as f:
        f.visititems(add)
    expected = sum(int(tf.size(v)) * v.dtype.size for v in map(tf_variable, model.variables))
    if declared > 4 * expected + (64 << 20):
        raise ValueError(f"it declares {declared:,} bytes, and the model has {expected:,}")


def load_saved(
    run: RunFolder, weights: str, dtype: Dtype | None = None
) -> tuple[RunConfig, Yt8mModel]:
    """Return the settings of one of a run's weight files, and its model with these weights.

    Args:
      run: the folder.
      weights: the file's path.
      dtype: what the model computes in; None is the run's own.

    Raises:
      UserError: there is no such file, or it does not fit the run's model.
    """
    config = config_of(run, weights)
    while True:
        problem: UserError | None = None
        model = make_model(config, dtype)
        try:
            load_weights(model, weights)
        except UserError as error:
            problem = error
        # The model is made from the file's arguments before its weights are read; in between, the
        # run may have replaced the file by a larger model's.
        before, config = config, config_of(run, weights)
        if config == before:
            if problem:
                raise problem
            return config, model


def load_run(
    train_dir: str, flag: str, dtype: Dtype | None = None
) -> tuple[RunConfig, Yt8mModel, str]:
    """Return a run's settings, its model with the best (or else the last) weights, and their path.

    Args:
      train_dir: the run's folder.
      flag: the name of the folder's flag in messages.
      dtype: what the model computes in; None is the run's own.

    Raises:
      UserError: there is no run, or it has saved no model.
    """
    run = RunFolder(train_dir)
    run.load_config(flag)  # reports that there is no run
    path = weights_file(run, flag=flag)
    config, model = load_saved(run, path, dtype)
    return config, model, path
