"""What a step of the alternation hands on: a model on disk, with the arguments in which it differs from the run's."""

from __future__ import annotations

import json
import os
from typing import Any, Dict

import tensorflow as tf

from yt8m.models.base import Yt8mModel
from yt8m.training.prepare import make_model
from yt8m.training.run_folder import MODEL_FILE, RunFolder, config_of, load_weights, save_weights

WEIGHTS = "model.weights.h5"
METRICS = "metrics.json"


def save_model(run: RunFolder, folder: str, model: Yt8mModel, own: Dict[str, Any], about: Dict[str, Any]) -> None:
    """Write a model and its metrics into a folder of the run, as eval and inference read it.

    Args:
      run: the run.
      folder: relative to the run's.
      model: with the weights to keep.
      own: constructor arguments in which it differs from the run's.
      about: its metrics, and where it is from; written last, so that its presence tells that the folder is whole.
    """
    run.write_text(os.path.join(folder, MODEL_FILE), json.dumps(own) + "\n")
    save_weights(model, run.file(folder, WEIGHTS))
    run.write_text(os.path.join(folder, METRICS), json.dumps(about, indent=1, default=float) + "\n")


def copy_model(run: RunFolder, source: str, target: str, about: Dict[str, Any]) -> None:
    """Copy what `save_model` wrote (or the trainer did, without model.json) to another folder, with other words about it."""
    own = run.file(source, MODEL_FILE)
    text = "{}\n"
    if tf.io.gfile.exists(own):
        with tf.io.gfile.GFile(own) as f:
            text = f.read()
    tf.io.gfile.makedirs(run.file(target))
    part = run.file(target, WEIGHTS + ".tmp")
    tf.io.gfile.copy(run.file(source, WEIGHTS), part, overwrite=True)
    run.write_text(os.path.join(target, MODEL_FILE), text)
    tf.io.gfile.rename(part, run.file(target, WEIGHTS), overwrite=True)
    run.write_text(os.path.join(target, METRICS), json.dumps(about, indent=1, default=float) + "\n")


def load_model(run: RunFolder, folder: str) -> Yt8mModel:
    """Return the model that a folder of the run holds.

    Raises:
      UserError: there is none, or its weights do not fit.
    """
    weights = run.file(folder, WEIGHTS)
    model = make_model(config_of(run, weights))
    load_weights(model, weights)
    return model


def own_arguments(run: RunFolder, folder: str) -> Dict[str, Any]:
    """Return the constructor arguments in which a folder's model differs from the run's."""
    path = run.file(folder, MODEL_FILE)
    if not tf.io.gfile.exists(path):
        return {}
    with tf.io.gfile.GFile(path) as f:
        return json.load(f)


def metrics_of(run: RunFolder, folder: str) -> Dict[str, Any]:
    """Return the metrics that a folder's model was written with."""
    with tf.io.gfile.GFile(run.file(folder, METRICS)) as f:
        return json.load(f)
