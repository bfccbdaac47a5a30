"""The names of a run's classes."""

from __future__ import annotations

import tensorflow as tf

from yt8m.data.vocabulary import beside, read_vocabulary
from yt8m.errors import UserError
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import RunFolder


def vocabulary_of(run: RunFolder, config: RunConfig, given: str) -> str | None:
    """Return the path of the vocabulary of a run's classes, or None.

    Args:
      run: the folder.
      config: its settings.
      given: the value of --vocabulary_file, or "".

    Raises:
      UserError: the given file is not a vocabulary of so many classes.
    """
    training, classes = config.training, config.schema.num_classes
    path = given or run.vocabulary() or training.vocabulary_file
    if path and (given or tf.io.gfile.exists(path)):
        found = read_vocabulary(path).num_classes
        if found != classes:
            raise UserError(
                f"--vocabulary_file={path} has {found:,} classes, but the model has {classes:,};"
                " name the vocabulary of its records."
            )
        return path
    return beside(training.train_data_pattern.split(","), classes)


def class_names(run: RunFolder, config: RunConfig, given: str = "") -> tuple[list[str], str]:
    """Return the names of the K classes, and the vocabulary file that has them.

    A class without a name is called by its number. Without a vocabulary all classes are, and the
    file is "".

    Args:
      run: the folder.
      config: its settings.
      given: the value of --vocabulary_file, or "".

    Raises:
      UserError: the given file is not a vocabulary of so many classes.
    """
    path = vocabulary_of(run, config, given)
    if path:
        named = enumerate(read_vocabulary(path).names)
        return [name or str(number) for number, name in named], path
    return [str(number) for number in range(config.schema.num_classes)], ""
