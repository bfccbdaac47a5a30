"""The model that a step passes on: its weights and metrics on disk.

Its constructor arguments may differ from the run's, because step 2 replaces the head.
"""

from __future__ import annotations

import json
import os
from typing import Any

from yt8m.models.core.base import Yt8mModel
from yt8m.runs.folder import MODEL_FILE, RunFolder
from yt8m.runs.load import about_weights, differing_arguments, load_saved
from yt8m.runs.save import copy_weights, save_weights

WEIGHTS = "model.weights.h5"
METRICS = "metrics.json"


def save_model(
    run: RunFolder, folder: str, model: Yt8mModel, own: dict[str, Any], about: dict[str, Any]
) -> None:
    """Write a model and its metrics into a folder of the run, as eval and inference read it.

    A folder with a model contains either the old or the new one at any moment: a single rename
    replaces it.

    Args:
      run: the run's folder.
      folder: the model's folder, relative to the run's.
      model: the model with the weights to keep.
      own: constructor arguments in which it differs from the run's.
      about: its metrics and where it comes from. They are written last, so their presence marks the
        folder as complete.
    """
    save_weights(model, run.file(folder, WEIGHTS), own, about)
    _write_about(run, folder, own, about)


def copy_model(run: RunFolder, source: str, target: str, about: dict[str, Any]) -> None:
    """Copy a model that `save_model` or the trainer wrote to another folder, with new metrics."""
    own = arguments_of(run, source)
    copy_weights(run.file(source, WEIGHTS), run.file(target, WEIGHTS), own, about)
    _write_about(run, target, own, about)


def _write_about(run: RunFolder, folder: str, own: dict[str, Any], about: dict[str, Any]) -> None:
    run.write_text(os.path.join(folder, MODEL_FILE), json.dumps(own) + "\n")
    text = json.dumps(about, indent=1, default=float) + "\n"
    run.write_text(os.path.join(folder, METRICS), text)


def load_model(run: RunFolder, folder: str) -> Yt8mModel:
    """Return the model in a folder of the run.

    Raises:
      UserError: there is none, or its weights do not match.
    """
    return load_saved(run, run.file(folder, WEIGHTS))[1]


def arguments_of(run: RunFolder, folder: str) -> dict[str, Any]:
    """Return the constructor arguments in which a folder's model differs from the run's."""
    return differing_arguments(run.file(folder, WEIGHTS))


def metrics_of(run: RunFolder, folder: str) -> dict[str, Any]:
    """Return the metrics with which a folder's model was written."""
    return about_weights(run.file(folder, WEIGHTS))
