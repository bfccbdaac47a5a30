"""Writing of weight files, on any file system: either a complete file appears or none."""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any

import h5py  # Keras writes `.weights.h5` with it, and requires it.
import tensorflow as tf

from yt8m.runs.folder import MODEL_FILE, WEIGHTS


def save_weights(model: tf.keras.Model, path: str, own: dict[str, Any] | None = None) -> None:
    """Write a model's weights as .weights.h5, which Keras 2 and 3 both read.

    Args:
      model: a built model.
      path: the file, local or remote.
      own: constructor arguments in which the model differs from the run's, kept in the file;
        see `yt8m.runs.load.differing_arguments`.
    """
    with tempfile.TemporaryDirectory() as folder:
        local = os.path.join(folder, WEIGHTS)
        model.save_weights(local)
        _move(local, path, own)


def copy_weights(source: str, path: str, own: dict[str, Any]) -> None:
    """Write the weights in the file `source` and `own` to `path`, as `save_weights` does."""
    with tempfile.TemporaryDirectory() as folder:
        local = os.path.join(folder, WEIGHTS)
        tf.io.gfile.copy(source, local)
        _move(local, path, own)


def _move(local: str, path: str, own: dict[str, Any] | None) -> None:
    # Keras ignores what it finds in the file beside its own groups.
    if own is not None:
        with h5py.File(local, "r+") as f:
            if MODEL_FILE in f:
                del f[MODEL_FILE]
            f[MODEL_FILE] = json.dumps(own)
    tf.io.gfile.makedirs(os.path.dirname(path))
    tf.io.gfile.copy(local, path + ".tmp", overwrite=True)
    tf.io.gfile.rename(path + ".tmp", path, overwrite=True)
