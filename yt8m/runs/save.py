"""Writing of weight files, on any file system: either a complete file appears or none.

What belongs to the weights is in their file, so that one rename switches all of it.
"""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any

import h5py  # Keras writes `.weights.h5` with it, and requires it.
import tensorflow as tf

from yt8m.files import whole
from yt8m.runs.folder import METRICS, MODEL_FILE, WEIGHTS


def save_weights(
    model: tf.keras.Model,
    path: str,
    own: dict[str, Any] | None = None,
    about: dict[str, Any] | None = None,
) -> None:
    """Write a model's weights as .weights.h5, which Keras 2 and 3 both read.

    Args:
      model: a built model.
      path: the file, local or remote.
      own: constructor arguments in which the model differs from the run's, kept in the file;
        see `yt8m.runs.load.differing_arguments`.
      about: its step and metrics, kept in the file; see `yt8m.runs.load.about_weights`.
    """
    with tempfile.TemporaryDirectory() as folder:
        local = os.path.join(folder, WEIGHTS)
        model.save_weights(local)
        _move(local, path, own, about)


def copy_weights(
    source: str, path: str, own: dict[str, Any], about: dict[str, Any] | None = None
) -> None:
    """Write the weights in the file `source` and the rest to `path`, as `save_weights` does."""
    with tempfile.TemporaryDirectory() as folder:
        local = os.path.join(folder, WEIGHTS)
        tf.io.gfile.copy(source, local)
        _move(local, path, own, about)


def _move(local: str, path: str, own: dict[str, Any] | None, about: dict[str, Any] | None) -> None:
    # Keras ignores what it finds in the file beside its own groups.
    inside = {k: v for k, v in ((MODEL_FILE, own), (METRICS, about)) if v is not None}
    if inside:
        with h5py.File(local, "r+") as f:
            for name, values in inside.items():
                if name in f:
                    del f[name]
                f[name] = json.dumps(values, default=float)
    tf.io.gfile.makedirs(os.path.dirname(path))
    with whole(path) as unfinished:
        tf.io.gfile.copy(local, unfinished, overwrite=True)
