"""The labels of videos and the classes that they name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from yt8m.data.label_rows import is_class, label_rows
from yt8m.errors import UserError, near_misses
from yt8m.settings import MOST_CLASSES

_WHOLE = re.compile(r"[+-]?[0-9]+")


def read_labels(path: str) -> dict[str, tuple[str, ...]]:
    """Return id -> labels of a CSV with rows `id,labels`; an id may have several rows.

    Raises:
      UserError: see `label_rows`.
    """
    found: dict[str, tuple[str, ...]] = {}
    for row in label_rows(path):
        found[row.id] = (*found.get(row.id, ()), *row.labels)
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
        if is_class(label) and int(label) < len(self.names):
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

    Raises:
      UserError: a number is negative, or larger than that of any class.
    """
    found = {label for each in labels for label in each}
    if found and all(_WHOLE.fullmatch(label) for label in found):
        for label in sorted(found):
            if not is_class(label):
                raise UserError(
                    f"the labels are numbers, but {label} is not that of a class; correct it, or"
                    " name a --vocabulary_file."
                )
    if all(map(is_class, found)):
        count = max((int(label) for label in found), default=0) + 1
        count = max(count, least)
        if count > MOST_CLASSES:
            raise UserError(
                f"the label {count - 1} is beyond the {MOST_CLASSES:,} classes that are possible;"
                " correct it, or name a --vocabulary_file."
            )
        return Classes([str(n) for n in range(count)], "the labels' numbers", are_numbers=True)
    return Classes(sorted(found), "the labels")
