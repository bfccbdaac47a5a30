"""The labels of videos and the classes that they name."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from yt8m.errors import UserError, near_misses
from yt8m.files import read_text

IDS = ("id", "video_id", "video", "youtube_id", "videoid", "name", "filename", "file", "path")
LABELS = ("labels", "label", "classes", "class", "category", "categories")


def split_labels(value: Any) -> tuple[str, ...]:
    """Return the labels in a cell: a list, `a;b`, `a|b`, `[1, 2]`, `1 2`, or a single one.

    Where values are missing, pandas and Parquet have None or NaN, and make floats of the other
    numbers: the former are no labels, and 2.0 is the label 2.
    """
    if not isinstance(value, str):
        values = value if isinstance(value, (list, tuple)) else [value]
        return tuple(filter(None, (_label(str(v)) for v in values if v is not None)))
    text = value.strip()
    if text.startswith("["):
        try:
            return split_labels(json.loads(text))
        except ValueError:
            pass
    if re.fullmatch(r"\d+([ ,]+\d+)*", text):
        return tuple(re.findall(r"\d+", text))
    return tuple(filter(None, (_label(part.strip()) for part in re.split(r"[;|]", text))))


def _label(text: str) -> str:
    return "" if text in ("nan", "NaN") else re.sub(r"^(\d+)\.0+$", r"\1", text)


def read_labels(path: str) -> dict[str, tuple[str, ...]]:
    """Return id -> labels of a CSV with rows `id,labels`; an id may have several rows.

    A header may name further columns, which are not read.

    Raises:
      UserError: the file cannot be read, or a row has no two cells.
    """
    try:
        rows = [row for row in csv.reader(read_text(path).splitlines()) if row]
    except Exception as error:  # of TensorFlow's file systems, csv or the encoding
        reason = getattr(error, "message", error)
        raise UserError(f"--labels={path} cannot be read ({reason}).") from None
    columns = _columns(rows[0]) if rows else None
    if columns:
        rows = rows[1:]
    found: dict[str, tuple[str, ...]] = {}
    for number, row in enumerate(rows, 1):
        if len(row) < 2:
            raise UserError(
                f"--labels={path}: row {number} is {','.join(row)!r}; expected id,labels."
            )
        name, cells = row[0].strip(), row[1:]
        if columns and columns != _PLAIN:
            if len(row) != columns.width:
                raise UserError(
                    f"--labels={path}: row {number} has {len(row)} values, and the header"
                    f" {columns.width} names. Separate the labels of a video by ; or |."
                )
            name, cells = row[columns.id].strip(), [row[n] for n in columns.labels]
        found[name] = (*found.get(name, ()), *(label for c in cells for label in split_labels(c)))
    return found


class _Columns(NamedTuple):
    """Where a table has the ids and the labels, and how many columns it has."""

    id: int
    labels: tuple[int, ...]
    width: int


_PLAIN = _Columns(0, (1,), 2)  # rows may be longer than this header: they list their labels


def _columns(header: Sequence[str]) -> _Columns | None:
    """Return the columns if this row is a header."""
    names = [cell.strip().lower().lstrip("\ufeff") for cell in header]
    ids = [name for name in IDS if name in names]
    labels = [name for name in LABELS if name in names]
    if not (ids and labels):
        return None
    places = tuple(n for n, name in enumerate(names) if name == labels[0])
    return _Columns(names.index(ids[0]), places, len(names))


class Classes:
    """The classes, by number, and the numbers of labels.

    Args:
      names: names of the classes.
      where: where they come from, for messages.
      are_numbers: whether the names are only the numbers.
    """

    def __init__(self, names: Sequence[str], where: str, are_numbers: bool = False):
        self.names, self.where, self.are_numbers = list(names), where, are_numbers
        self._numbers: Mapping[str, int] = {
            name: number for number, name in reversed(list(enumerate(self.names)))
        }

    def number(self, label: str, video: str) -> int:
        """Return the number of the class that a label names, or whose number it is.

        Raises:
          UserError: there is no such class.
        """
        if label in self._numbers:
            return self._numbers[label]
        if label.isdigit() and int(label) < len(self.names):
            return int(label)
        raise UserError(
            f"the label {label!r} of {video} is not one of the {len(self.names):,} classes of"
            f" {self.where}.{near_misses(label, self.names)} Correct it, or name another"
            " --vocabulary_file."
        )


def made_from(labels: Iterable[Sequence[str]], least: int = 0) -> Classes:
    """Return the classes of some videos' labels: their numbers, or else their names, sorted.

    Args:
      labels: labels of each video.
      least: the fewest classes, if the labels are numbers.
    """
    found = {label for each in labels for label in each}
    if all(label.isdigit() for label in found):
        count = max((int(label) for label in found), default=0) + 1
        count = max(count, least)
        return Classes([str(n) for n in range(count)], "the labels' numbers", are_numbers=True)
    return Classes(sorted(found), "the labels")
