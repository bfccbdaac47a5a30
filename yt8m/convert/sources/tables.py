"""Tables: a row is a video, or a frame of one where a column numbers the frames."""

from __future__ import annotations

import abc
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from yt8m.convert.source import Features, Item, Source, Unusable, as_numbers, gone
from yt8m.data.label_rows import IDS, LABELS, split_labels
from yt8m.errors import UserError, near_misses

_FRAMES = ("frame", "frame_index", "second")


class Roles(NamedTuple):
    """The columns of a table by what they mean; "" if there is none.

    Attributes:
      id, labels, frame: names of the columns.
      features: feature -> its columns, each with one number, or its one column with a list.
    """

    id: str
    labels: str
    frame: str
    features: dict[str, list[str]]

    @property
    def keys(self) -> list[str]:
        """The columns without features."""
        return [name for name in (self.id, self.labels, self.frame) if name]


class Table(abc.ABC):
    """Rows of a file; each is a mapping from column to value."""

    class_names: Sequence[str] = ()
    columns: list[str]

    @abc.abstractmethod
    def numeric(self) -> dict[str, bool]:
        """Return the columns of numbers, and whether a value is a list of them."""

    @abc.abstractmethod
    def rows(
        self, columns: Sequence[str], ranges: Sequence[tuple[int, int]] | None = None
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the rows in ascending ranges (first, last + 1), or all rows."""


def roles_of(table: Table, asked: Mapping[str, str], feature_name: str, path: str) -> Roles:
    """Return what the columns mean.

    Columns that end in a number and are otherwise equal, such as clip_0 to clip_767, are one
    feature.

    Args:
      table: the table.
      asked: "id", "labels" and "frame" -> the name of the column, or "".
      feature_name: name of a feature whose columns are only numbers.
      path: the file, for messages.

    Raises:
      UserError: a column is missing, or none has features.
    """
    by_name = {name.strip().lower(): name for name in table.columns}

    def column(role: str, usual: Sequence[str]) -> str:
        name = asked.get(role, "")
        if name and name not in table.columns:
            flag = {"id": "id_column", "labels": "label_column", "frame": "frame_column"}[role]
            raise UserError(
                f"--{flag}={name} is not a column of {path}."
                f"{near_misses(name, table.columns)} Its columns are"
                f" {', '.join(table.columns[:20])}."
            )
        return name or next((by_name[n] for n in usual if n in by_name), "")

    keys = column("id", IDS), column("labels", LABELS), column("frame", _FRAMES)
    numeric = {n: is_list for n, is_list in table.numeric().items() if n not in keys}
    features: dict[str, list[str]] = {n: [n] for n, is_list in numeric.items() if is_list}
    for name in [n for n, is_list in numeric.items() if not is_list]:
        found = re.fullmatch(r"(.*?)[_.\-\[ ]*(\d+)\]?", name)
        if found:
            features.setdefault(found[1] or feature_name, []).append(name)
    if not features:
        raise UserError(
            f"{path} has no columns of features: expected numbers in columns such as x0, x1, x2,"
            f" or lists of numbers. Its columns are {', '.join(table.columns[:20])}."
        )
    return Roles(*keys, features)


class TableFiles(Source):
    """The videos of one or several tables.

    Args:
      tables: the table and the columns' roles of each file, by its path.
    """

    def __init__(self, tables: Mapping[str, tuple[Table, Roles]]):
        self._tables = dict(tables)
        self.class_names = next(
            (t.class_names for t, _ in self._tables.values() if t.class_names), ()
        )
        self._ranges: dict[str, list[tuple[int, int]]] = {}

    def items(self) -> Iterator[Item]:
        """Yield the video of each row, or of each run of rows with the same id."""
        for path, (table, roles) in self._tables.items():
            ranges: list[tuple[int, int]] = []
            last: Item | None = None
            for number, row in enumerate(table.rows(roles.keys)):
                item = _item(row, roles, f"{path}:{number}")
                if roles.frame and last is not None and item.id == last.id:
                    ranges[-1] = (ranges[-1][0], number + 1)
                    continue
                if last is not None:
                    yield last
                last = item
                ranges.append((number, number + 1))
            self._ranges[path] = ranges
            if last is not None:
                yield last

    def read(self, wanted: Sequence[int]) -> Iterator[Features | Unusable]:
        """Yield the features of some videos."""
        before = 0
        for path, (table, roles) in self._tables.items():
            ranges = self._ranges[path]
            own = [ranges[n - before] for n in wanted if before <= n < before + len(ranges)]
            before += len(ranges)
            columns = [n for names in roles.features.values() for n in names]
            rows = table.rows([*columns, *filter(None, [roles.frame])], own)
            for first, end in own:
                found = list(itertools.islice(rows, end - first))
                if len(found) < end - first:
                    raise UserError(gone(path, "rows"))
                yield _features(found, roles)


def _item(row: Mapping[str, Any], roles: Roles, default: str) -> Item:
    found = row.get(roles.id)
    name = default if found is None or found == "" else str(found)
    labels = row.get(roles.labels)
    return Item(name, split_labels(labels) if roles.labels and labels is not None else None)


def _features(rows: list[Mapping[str, Any]], roles: Roles) -> Features | Unusable:
    try:
        if roles.frame:
            rows = sorted(rows, key=lambda row: float(row[roles.frame]))
        found = {}
        for name, columns in roles.features.items():
            one = [_values(row, columns) for row in rows]
            found[name] = as_numbers(np.stack(one) if roles.frame else one[0], name)
        return found
    except Unusable as error:
        return error
    except (TypeError, ValueError) as error:
        return Unusable(f"its values are no numbers, or lists of different lengths ({error})")


def _values(row: Mapping[str, Any], columns: Iterable[str]) -> np.ndarray:
    values = [row[name] for name in columns]
    if len(values) == 1 and not isinstance(values[0], (str, float, int)):
        return np.asarray(values[0])
    return np.asarray(values, np.float32)
