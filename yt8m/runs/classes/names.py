"""What the classes of a run are called, for every command that shows a class to a person.

The names are those of the vocabulary that a run keeps beside its settings. An earlier run, which
keeps none, uses the vocabulary beside its records.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

import tensorflow as tf
from absl import logging

from yt8m.data.vocabulary import beside, read_vocabulary, write_vocabulary
from yt8m.errors import UserError
from yt8m.runs.config import RunConfig
from yt8m.runs.folder import CLASSES, RunFolder


@dataclasses.dataclass(frozen=True)
class ClassNames:
    """The names of K classes.

    Attributes:
      names: K names; a class without one is called by its number.
      file: the vocabulary that has them, or "" if there is none.
    """

    names: tuple[str, ...]
    file: str = ""

    @classmethod
    def read(cls, path: str) -> ClassNames:
        """Return the names in a vocabulary.

        Raises:
          UserError: the file is not a vocabulary.
        """
        named = enumerate(read_vocabulary(path).names)
        return cls(tuple(name.strip() or str(number) for number, name in named), path)

    @classmethod
    def numbers(cls, num_classes: int) -> ClassNames:
        """Return the names of classes of which only the number K is known."""
        return cls(tuple(map(str, range(num_classes))))

    def __len__(self) -> int:
        """K."""
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        """Yield the names in the classes' order."""
        return iter(self.names)

    def __getitem__(self, label: int) -> str:
        """Return the name of a class."""
        return self.names[label]

    @property
    def are_known(self) -> bool:
        """Whether there is a vocabulary."""
        return bool(self.file)

    def shown(self, label: int) -> str:
        """Return a class for a table: `Game (0)`, or `class 57` if it has no name."""
        name = self.names[label]
        return f"class {label}" if name == str(label) else f"{name} ({label})"


def class_names(
    run: RunFolder, config: RunConfig, given: str = "", files: Sequence[str] = ()
) -> ClassNames:
    """Return the names of a run's classes.

    Args:
      run: the folder.
      config: its settings.
      given: the value of --vocabulary_file, or "".
      files: other records of the same classes, beside which a vocabulary may be.

    Raises:
      UserError: the given file is not a vocabulary of so many classes.
    """
    path = vocabulary_of(run, config, given, files)
    return ClassNames.read(path) if path else ClassNames.numbers(config.schema.num_classes)


def vocabulary_of(
    run: RunFolder, config: RunConfig, given: str = "", files: Sequence[str] = ()
) -> str | None:
    """Return the path of the vocabulary of a run's classes, or None.

    It is the given one; or else that of the run's folder, the one that the run was trained with,
    one beside its training records, or one beside `files`. Only the given one must fit: the others
    serve people who have not asked for names.

    Args:
      run: the folder.
      config: its settings.
      given: the value of --vocabulary_file, or "".
      files: other records of the same classes.

    Raises:
      UserError: the given file is not a vocabulary of so many classes.
    """
    training, classes = config.training, config.schema.num_classes
    if given:
        found = read_vocabulary(given).num_classes
        if found != classes:
            raise UserError(
                f"--vocabulary_file={given} has {found:,} classes, but the model has {classes:,};"
                " name the vocabulary of its records."
            )
        return given
    for path in (run.vocabulary(), training.vocabulary_file):
        if path and _has(path, classes):
            return path
    for records in (training.train_data_pattern.split(","), files):
        with contextlib.suppress(UserError):
            path = beside(records, classes) if records else None
            if path:
                return path
    return None


def _has(path: str, classes: int) -> bool:
    if not tf.io.gfile.exists(path):
        return False
    try:
        return read_vocabulary(path).num_classes == classes
    except UserError as error:
        logging.warning("%s Names of classes are looked for elsewhere.", error)
        return False


def keep_names(run: RunFolder, config: RunConfig) -> None:
    """Write the names of a run's classes into its folder, which then has them without the records.

    Args:
      run: the folder.
      config: its settings.
    """
    path = None if run.vocabulary() else vocabulary_of(run, config)
    if path:
        vocabulary = read_vocabulary(path)  # without the descriptions of 2018's, which are 3 MB
        write_vocabulary(run.file(CLASSES), vocabulary.names, vocabulary.counts)
