"""The files of a run under `--train_dir`: what is there, and how each is written whole or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import h5py  # Keras writes `.weights.h5` by it, and requires it
import numpy as np
import tensorflow as tf

from yt8m.errors import UserError
from yt8m.runs.config import CONFIG_FILE, ModelConfig, RunConfig

BEST = "best"  # folder: model.weights.h5 and metrics.json of the best validation, averaged weights
MODEL_FILE = "model.json"  # in a weight file, and beside it: arguments in which its model differs from the run's
ALTERNATION = "alternation"  # folder: what the steps of the alternating trainer keep
LABEL_INDEX = "label_index.npz"  # of the training records, where an experiment with labels needs it
_OURS = frozenset(
    {
        CONFIG_FILE,
        "checkpoints",
        "metrics.jsonl",
        "logs",
        "done",
        "priors.npy",
        BEST,
        "last",
        "eval",
        "step1",
        ALTERNATION,
    }
    | {"groups", "features"}  # of the partitioned trainer
    | {LABEL_INDEX}
)
# What an attempt that was refused, or killed before its first step, leaves without a config.json.
_PROBE = ".probe"
_OF_ATTEMPTS = frozenset({"logs", "metrics.jsonl", "priors.npy", "features", LABEL_INDEX, _PROBE})


class RunFolder:
    """One run's folder; made by train.py, read by every other script."""

    def __init__(self, path: str):
        self.path = path

    def file(self, *names: str) -> str:
        """Return the path of a file of the run."""
        return os.path.join(self.path, *names)

    def exists(self) -> bool:
        """Whether a run was begun here."""
        return tf.io.gfile.exists(self.file(CONFIG_FILE))

    def make(self) -> None:
        """Create the folder, and see that it can be written.

        Raises:
          UserError: it cannot.
        """
        probe = self.file(_PROBE)
        try:
            tf.io.gfile.makedirs(self.path)
            with tf.io.gfile.GFile(probe, "w") as f:
                f.write("")
            with contextlib.suppress(
                tf.errors.NotFoundError
            ):  # another worker, which looks at the same time, took it away
                tf.io.gfile.remove(probe)
        except (tf.errors.OpError, OSError) as error:
            raise UserError(
                f"--train_dir={self.path} cannot be written ({_reason(error)}); name a folder that can."
            )

    def delete(self) -> None:
        """Delete an earlier run, and nothing that a run did not make (trap E-47); where none was begun there is nothing to delete.

        Raises:
          UserError: the folder holds other things.
        """
        if not tf.io.gfile.isdir(self.path):
            return
        names = {n.rstrip("/") for n in tf.io.gfile.listdir(self.path)}
        if names <= _OF_ATTEMPTS:
            return  # and stay: of the names alone none is surely a run's
        if CONFIG_FILE not in names:
            raise UserError(
                f"--start_new_model: {self.path} holds {', '.join(sorted(names)[:5])} but no {CONFIG_FILE}, so it is not"
                " a run's folder and is not deleted; name another --train_dir."
            )
        for name in names & _OURS:
            path = self.file(name)
            if tf.io.gfile.isdir(path):
                tf.io.gfile.rmtree(path)
            else:
                tf.io.gfile.remove(path)

    def write_text(self, name: str, text: str) -> None:
        """Write a file whole: to a temporary name first, then renamed."""
        path = self.file(name)
        tf.io.gfile.makedirs(os.path.dirname(path))
        with tf.io.gfile.GFile(path + ".tmp", "w") as f:
            f.write(text)
        tf.io.gfile.rename(path + ".tmp", path, overwrite=True)

    def load_config(self, flag: str = "--train_dir") -> RunConfig:
        """Return the run's settings; `flag` names the folder in messages.

        Raises:
          UserError: there is no run here.
        """
        path = self.file(CONFIG_FILE)
        if not self.exists():
            what = (
                "does not exist" if not tf.io.gfile.isdir(self.path) else f"holds no {CONFIG_FILE}"
            )
            raise UserError(
                f"{flag}={self.path} {what}; name the folder that train.py wrote its run to."
            )
        with tf.io.gfile.GFile(path) as f:
            return RunConfig.from_json(f.read(), path)

    def save_priors(self, priors: np.ndarray) -> None:
        """Keep the label priors [K] that the heads start from."""
        path = self.file("priors.npy")
        with tf.io.gfile.GFile(path + ".tmp", "wb") as f:
            np.save(f, priors.astype(np.float64))
        tf.io.gfile.rename(path + ".tmp", path, overwrite=True)

    def remove_priors(self) -> None:
        """Forget them."""
        if tf.io.gfile.exists(self.file("priors.npy")):
            tf.io.gfile.remove(self.file("priors.npy"))

    def load_priors(self) -> np.ndarray | None:
        """Return the priors kept with the run, or None."""
        path = self.file("priors.npy")
        if not tf.io.gfile.exists(path):
            return None
        with tf.io.gfile.GFile(path, "rb") as f:
            return np.load(f)

    def log(self, event: str, **values: Any) -> None:
        """Append one line to metrics.jsonl."""
        with tf.io.gfile.GFile(self.file("metrics.jsonl"), "a") as f:
            f.write(
                json.dumps({"event": event, **{k: _plain(v) for k, v in values.items()}}) + "\n"
            )

    def logged(self) -> Iterator[dict[str, Any]]:
        """Yield what was logged; a line that a killed process left half-written is passed over."""
        path = self.file("metrics.jsonl")
        if not tf.io.gfile.exists(path):
            return
        with tf.io.gfile.GFile(path) as f:
            for line in f:
                try:
                    yield json.loads(line)
                except ValueError:
                    continue

    def is_done(self) -> bool:
        """Whether the run has ended by itself."""
        return tf.io.gfile.exists(self.file("done"))


def weights_file(run: RunFolder, which: str = "", flag: str = "--train_dir") -> str:
    """Return the path of a run's weights: the best validated ones, or the last where nothing was validated.

    Args:
      run: the folder.
      which: "best" or "last"; "" chooses.
      flag: names the folder in messages.

    Raises:
      UserError: there are none yet.
    """
    for name in [which] if which else [BEST, "last"]:
        path = run.file(name, "model.weights.h5")
        if tf.io.gfile.exists(path):
            return path
    raise UserError(
        f"{flag}={run.path} holds no {which or 'saved'} model yet: train.py saves one after each validation (without one, with each checkpoint), and at its end."
    )


def config_of(run: RunFolder, weights: str) -> RunConfig:
    """Return a run's settings as they are for one of its weight files."""
    config, own = run.load_config(), differing_arguments(weights)
    return dataclasses.replace(
        config, model=ModelConfig(config.model.name, {**config.model.arguments, **own})
    )


def differing_arguments(weights: str) -> dict[str, Any]:
    """Return the constructor arguments in which a weight file's model differs from its run's.

    A model that grew in training (the KDD trainer's large mixture) has some. They lie in the file itself, where one
    rename switches both; `model.json` beside it says the same to whoever looks, and is all that older runs have.
    """
    if tf.io.gfile.exists(weights):
        try:
            with (
                tf.io.gfile.GFile(weights, "rb") as remote,
                h5py.File(remote if "://" in weights else weights, "r") as f,
            ):
                if MODEL_FILE in f:
                    return json.loads(f[MODEL_FILE][()])
        except OSError:
            pass  # not such a file: whoever loads its weights says so
    path = os.path.join(os.path.dirname(weights), MODEL_FILE)
    if not tf.io.gfile.exists(path):
        return {}
    with tf.io.gfile.GFile(path) as f:
        return json.load(f)


def save_weights(model: tf.keras.Model, path: str, own: dict[str, Any] | None = None) -> None:
    """Write `path` (.weights.h5, which Keras 2 and 3 both read) whole or not at all, on any file system.

    Args:
      model: built.
      path: of the file.
      own: constructor arguments in which the model differs from the run's, kept in the file; see `differing_arguments`.
    """
    with tempfile.TemporaryDirectory() as folder:
        local = os.path.join(folder, "model.weights.h5")
        model.save_weights(local)
        _put(local, path, own)


def copy_weights(source: str, path: str, own: dict[str, Any]) -> None:
    """Write the weights of the file `source` to `path`, with `own`, as `save_weights` does."""
    with tempfile.TemporaryDirectory() as folder:
        local = os.path.join(folder, "model.weights.h5")
        tf.io.gfile.copy(source, local)
        _put(local, path, own)


def _put(local: str, path: str, own: dict[str, Any] | None) -> None:
    """Move a weight file to its place in one step; Keras passes over what it finds in it beside its own."""
    if own is not None:
        with h5py.File(local, "r+") as f:
            if MODEL_FILE in f:
                del f[MODEL_FILE]
            f[MODEL_FILE] = json.dumps(own)
    tf.io.gfile.makedirs(os.path.dirname(path))
    tf.io.gfile.copy(local, path + ".tmp", overwrite=True)
    tf.io.gfile.rename(path + ".tmp", path, overwrite=True)


def load_weights(model: tf.keras.Model, path: str) -> None:
    """Read what `save_weights` wrote, from any file system.

    Raises:
      UserError: there is no such file, or it does not fit the model.
    """
    if not tf.io.gfile.exists(path):
        raise UserError(
            f"{path} does not exist: the run has saved no model yet, or --train_dir is not a run's folder."
        )
    with tempfile.TemporaryDirectory() as folder:
        local = path
        if "://" in path:
            local = os.path.join(folder, "model.weights.h5")
            tf.io.gfile.copy(path, local)
        try:
            model.load_weights(local)
        except (ValueError, OSError, KeyError) as error:
            raise UserError(f"{path} does not fit the run's model ({_reason(error)}).")


def _reason(error: Exception) -> str:
    message = getattr(error, "message", None) or str(error)
    return message.splitlines()[0] if message else type(error).__name__


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
