"""The labels of videos and the classes that they name."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from yt8m.errors import UserError, near_misses
from yt8m.files import read_text

_HEADERS = {"id", "video_id", "video", "label", "labels", "class", "classes", "youtube_id"}


def split_labels(value: Any) -> tuple[str, ...]:
    """Return the labels in a cell: a list, `a;b`, `a|b`, `[1, 2]`, `1 2`, or a single one."""
    if not isinstance(value, str):
        values = value if isinstance(value, (list, tuple)) else [value]
        return tuple(str(v) for v in values)
    text = value.strip()
    if text.startswith("["):
        try:
            return tuple(str(v) for v in json.loads(text))
        except ValueError:
            pass
    if re.fullmatch(r"\d+([ ,]+\d+)*", text):
        return tuple(re.findall(r"\d+", text))
    return tuple(part.strip() for part in re.split(r"[;|]", text) if part.strip())


def read_labels(path: str) -> dict[str, tuple[str, ...]]:
    """Return id -> labels of a CSV with rows `id,labels`; an id may have several rows.

    Raises:
      UserError: the file cannot be read, or a row has no two cells.
    """
    try:
        rows = [row for row in csv.reader(read_text(path).splitlines()) if row]
    except Exception as error:  # of TensorFlow's file systems, csv or the encoding
        reason = getattr(error, "message", error)
        raise UserError(f"--labels={path} cannot be read ({reason}).") from None
    if rows and {cell.strip().lower().lstrip("\ufeff") for cell in rows[0][:2]} <= _HEADERS:
        rows = rows[1:]
    found: dict[str, tuple[str, ...]] = {}
    for number, row in enumerate(rows, 1):
        if len(row) < 2:
            raise UserError(
                f"--labels={path}: row {number} is {','.join(row)!r}; expected id,labels."
            )
        name = row[0].strip()
        found[name] = (*found.get(name, ()), *(label for c in row[1:] for label in split_labels(c)))
    return found


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
