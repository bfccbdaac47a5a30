"""A run's folder in the form in which it is published, written whole or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from typing import Any, Callable

import tensorflow as tf

from yt8m import files
from yt8m.data.vocabulary import FILE as VOCABULARY
from yt8m.errors import UserError
from yt8m.publish import card, kaggle
from yt8m.publish.data_sets import DataSetName, data_set
from yt8m.publish.described import Described, evaluation
from yt8m.publish.place import check_place, sums, whole_folder
from yt8m.runs.build import make_model
from yt8m.runs.classes.names import vocabulary_of
from yt8m.runs.config import CONFIG_FILE, RunConfig
from yt8m.runs.folder import BEST, METRICS, MODEL_FILE, PUBLICATION, WEIGHTS, RunFolder
from yt8m.runs.load import check_weights, config_of, load_weights, saved_step, weights_file
from yt8m.runs.settings.training import Which
from yt8m.runs.trained_model import check_task

_PER_CLASS_AP = "per_class_ap.json"
_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def publish(
    train_dir: str,
    out_dir: str,
    name: str = "",
    license_id: str = "cc-by-4.0",
    vocabulary_file: str = "",
    dataset: DataSetName = "",
    which: Which = "",
    say: Callable[[str], None] = print,
) -> None:
    """Write a run's weights, settings, vocabulary, metrics and model card into a folder.

    The folder is read like a run's own, by the same code. Nothing is uploaded.

    Args:
      train_dir: the run's folder.
      out_dir: a local folder: new, empty, or an unchanged publication of the same kind of model.
      name: OWNER/NAME on the hub, for the card's examples; "" leaves these words there.
      license_id: the weights' license, one of `yt8m.publish.licenses.LICENSES`.
      vocabulary_file: names of the classes; "" looks for the run's own.
      dataset: which data set the records are from; "" recognizes it.
      which: "best", "last", or "" for the best there is.
      say: prints what the folder lacks.

    Raises:
      UserError: there is no run or no saved model, it predicts no labels, or `out_dir` holds other
        files or cannot be written.
    """
    if name and not _NAME.fullmatch(name):
        raise UserError(f"--name={name}: expected OWNER/NAME, the model's address on the hub.")
    run = RunFolder(train_dir)
    config = run.load_config()
    check_task(config, train_dir)
    weights = weights_file(run, which)
    if "://" not in weights:
        check_weights(weights)
    kind = {"model": config.model.name, "num_classes": config.schema.num_classes}
    check_place(out_dir, kind)
    before = run.publication()
    checkpoint = before["checkpoint"] if before else os.path.basename(os.path.dirname(weights))
    with whole_folder(out_dir) as folder:
        config = _copy_model(run, weights, folder)
        vocabulary = vocabulary_of(run, run.load_config(), vocabulary_file)
        if vocabulary:
            tf.io.gfile.copy(vocabulary, os.path.join(folder, VOCABULARY))
        model = make_model(config)
        load_weights(model, os.path.join(folder, WEIGHTS))
        step = saved_step(weights)
        described = Described(
            name=name or "OWNER/NAME",
            config=config,
            parameters=int(model.count_params()),
            checkpoint=checkpoint,
            step=step,
            finished=run.is_done(),
            metrics=_copy_metrics(run, checkpoint, step, folder, say),
            data=data_set(config, dataset),
            license_id=license_id,
            has_vocabulary=bool(vocabulary),
        )
        if not vocabulary:
            say("no vocabulary was found; --vocabulary_file=FILE adds the names of the classes.")
        files.write_text(os.path.join(folder, "README.md"), card.model_card(described))
        files.write_json(os.path.join(folder, kaggle.MODEL), kaggle.model_metadata(described))
        files.write_json(os.path.join(folder, kaggle.INSTANCE), kaggle.instance_metadata(described))
        about = {
            "format": 1,
            **kind,
            "checkpoint": checkpoint,
            "files": sums(folder, os.listdir(folder)),
        }
        files.write_json(os.path.join(folder, PUBLICATION), about)


def _copy_model(run: RunFolder, weights: str, folder: str) -> RunConfig:
    """Copy the weights and their settings; return the settings."""
    copy, beside = os.path.join(folder, WEIGHTS), os.path.join(folder, MODEL_FILE)
    tf.io.gfile.copy(weights, copy)
    original = os.path.join(os.path.dirname(weights), MODEL_FILE)
    if tf.io.gfile.exists(original):
        tf.io.gfile.copy(original, beside)
    # The copy's arguments: the run may be replacing the original by another model.
    config = config_of(run, copy)
    with contextlib.suppress(FileNotFoundError):
        os.remove(beside)  # The settings contain it now.
    # The vocabulary is in the folder, and the path of the original means nothing elsewhere.
    training = dataclasses.replace(config.training, vocabulary_file="")
    config = dataclasses.replace(config, training=training)
    files.write_text(os.path.join(folder, CONFIG_FILE), config.to_json())
    return config


def _copy_metrics(
    run: RunFolder, checkpoint: str, step: int | None, folder: str, say: Callable[[str], None]
) -> dict[str, Any] | None:
    """Copy the evaluation of the weights and return it; without one, say how to make it."""
    try:
        source, metrics = evaluation(run, checkpoint, step)
    except LookupError as error:
        which = "" if checkpoint == BEST else f" --checkpoint={checkpoint}"
        say(
            f"the card states no metrics, because {error.args[0]}: run `yt8m eval"
            f" --train_dir={run.path}{which}`, then this command again."
        )
        return None
    for name in (METRICS, _PER_CLASS_AP):
        path = os.path.join(source, name)
        if tf.io.gfile.exists(path):
            tf.io.gfile.copy(path, os.path.join(folder, name))
    return metrics
