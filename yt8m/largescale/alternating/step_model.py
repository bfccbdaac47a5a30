"""What a step of the alternation hands on: a model on disk, with the arguments in which it differs from the run's."""

from __future__ import annotations

import json
import os
from typing import Any

import tensorflow as tf

from yt8m.models.core.base import Yt8mModel
from yt8m.runs.folder import MODEL_FILE, RunFolder
from yt8m.runs.load import differing_arguments, load_saved
from yt8m.runs.save import copy_weights, save_weights

WEIGHTS = "model.weights.h5"
METRICS = "metrics.json"


def save_model(
    run: RunFolder, folder: str, model: Yt8mModel, own: dict[str, Any], about: dict[str, Any]
) -> None:
    """Write a model and its metrics into a folder of the run, as eval and inference read it.

    A folder that holds one already holds the one or the other at any moment: a single rename switches them.

    Args:
      run: the run.
      folder: relative to the run's.
      model: with the weights to keep.
      own: constructor arguments in which it differs from the run's.
      about: its metrics, and where it is from; written last, so that its presence tells that the folder is whole.
    """
    save_weights(model, run.file(folder, WEIGHTS), own)
    _write_about(run, folder, own, about)


def copy_model(run: RunFolder, source: str, target: str, about: dict[str, Any]) -> None:
    """Copy what `save_model` wrote (or the trainer did) to another folder, with other words about it."""
    own = arguments_of(run, source)
    copy_weights(run.file(source, WEIGHTS), run.file(target, WEIGHTS), own)
    _write_about(run, target, own, about)


def _write_about(run: RunFolder, folder: str, own: dict[str, Any], about: dict[str, Any]) -> None:
    run.write_text(os.path.join(folder, MODEL_FILE), json.dumps(own) + "\n")
    run.write_text(os.path.join(folder, METRICS), json.dumps(about, indent=1, default=float) + "\n")


def load_model(run: RunFolder, folder: str) -> Yt8mModel:
    """Return the model that a folder of the run holds.

    Raises:
      UserError: there is none, or its weights do not fit.
    """
    return load_saved(run, run.file(folder, WEIGHTS))[1]


def arguments_of(run: RunFolder, folder: str) -> dict[str, Any]:
    """Return the constructor arguments in which a folder's model differs from the run's."""
    return differing_arguments(run.file(folder, WEIGHTS))


def metrics_of(run: RunFolder, folder: str) -> dict[str, Any]:
    """Return the metrics that a folder's model was written with."""
    with tf.io.gfile.GFile(run.file(folder, METRICS)) as f:
        return json.load(f)
