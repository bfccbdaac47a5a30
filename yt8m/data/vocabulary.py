"""Class names and counts from a vocabulary file, such as the one of the 2018 release."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from yt8m.errors import UserError
from yt8m.files import read_text, write_text
from yt8m.settings import MOST_CLASSES

FILE = "vocabulary.csv"
_FILES = (FILE, "class_labels_indices.csv")  # the second is AudioSet's
_HEADER = (
    "Index,TrainVideoCount,KnowledgeGraphId,Name,WikiUrl,Vertical1,Vertical2,Vertical3,"
    "WikiDescription"
)
_COUNT = "trainvideocount"
_COLUMNS = ("index", "label_id", "name", "label_name", "display_name", _COUNT)


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Classes by index.

    Attributes:
      names: names of the K classes.
      counts: number of training videos of each class [K], or None if the file does not give it.
    """

    names: tuple[str, ...]
    counts: np.ndarray | None = None

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.names)


def read_vocabulary(path: str, flag: str = "--vocabulary_file") -> Vocabulary:
    """Read a `vocabulary.csv` (Index, Name, perhaps TrainVideoCount), or lines `index,name`.

    AudioSet's `class_labels_indices.csv` (index, mid, display_name) is read too.

    Args:
      path: local or remote.
      flag: flag that named the file, for messages.

    Raises:
      UserError: the file does not exist, or is not a vocabulary.
    """
    try:
        rows = list(csv.reader(io.StringIO(read_text(path), newline="")))
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        reason = getattr(error, "message", error)
        raise UserError(f"{flag}={path} cannot be read ({reason}).") from None
    except csv.Error as error:
        raise UserError(f"{flag}={path} is not a vocabulary ({error}).") from None
    try:
        return _vocabulary(rows)
    except (ValueError, IndexError) as error:
        raise UserError(
            f"{flag}={path} is not a vocabulary ({error}); its first line should be {_HEADER}."
        ) from None


def _vocabulary(rows: list[list[str]]) -> Vocabulary:
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    columns = {name: header.index(name) for name in _COLUMNS if name in header}
    index_at = columns.get("index", columns.get("label_id", 0))
    names_at = [columns[name] for name in ("name", "label_name", "display_name") if name in columns]
    name_at = names_at[0] if names_at else 1
    body = rows[1:] if columns else rows
    by_index = {int(row[index_at]): row for row in body if row}
    if not by_index:
        raise ValueError("it has no class")
    if min(by_index) < 0 or max(by_index) >= MOST_CLASSES:
        raise ValueError(f"an index is not from 0 to {MOST_CLASSES - 1}")
    classes = [by_index.get(i) for i in range(max(by_index) + 1)]
    names = tuple(row[name_at] if row else f"class {i}" for i, row in enumerate(classes))
    if _COUNT not in columns:
        return Vocabulary(names)
    counts = [float(row[columns[_COUNT]]) if row else 0.0 for row in classes]
    return Vocabulary(names, np.array(counts))


def write_vocabulary(path: str, names: Sequence[str], counts: Iterable[int] | None = None) -> None:
    """Write a vocabulary in the form of the 2018 release, or `Index,Name` without counts."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if counts is None:
        writer.writerow(["Index", "Name"])
        writer.writerows(enumerate(names))
    else:
        writer.writerow(_HEADER.split(","))
        for i, (name, count) in enumerate(zip(names, counts)):
            writer.writerow([i, int(count), "", name, "", "(Unknown)", "", "", ""])
    write_text(path, out.getvalue())


def beside(files: Sequence[str], num_classes: int | None = None) -> str | None:
    """Return the vocabulary in the shards' folder or the one above, or None.

    Args:
      files: shards.
      num_classes: return only a vocabulary of so many classes; None returns any.
    """
    folder = os.path.dirname(files[0])
    for place in (folder, os.path.dirname(folder)):
        for name in _FILES:
            path = os.path.join(place, name)
            if tf.io.gfile.exists(path) and (num_classes is None or num_classes == _rows(path)):
                return path
    return None


def _rows(path: str) -> int:
    return read_vocabulary(path).num_classes
