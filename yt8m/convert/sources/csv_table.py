"""A table in a CSV file with a header."""

from __future__ import annotations

import csv
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from yt8m.convert.sources.tables import Table
from yt8m.errors import UserError
from yt8m.text_lines import check_readable, encoding_of, not_text

_LONGEST = 1 << 28  # characters of a line or cell; a file of zeros would fill the memory


class CsvTable(Table):
    """Rows of a CSV file as text.

    Args:
      path: the file, whose first line names the columns.

    Raises:
      UserError: it cannot be read, or has no row.
    """

    def __init__(self, path: str):
        self._path = path
        check_readable(path)
        csv.field_size_limit(_LONGEST)
        try:
            first = list(itertools.islice(self._lines(), 2))
        except (OSError, csv.Error) as error:
            raise UserError(f"--input={path} cannot be read ({error}).") from None
        if len(first) < 2:
            raise UserError(f"--input={path} has no row below its header.")
        self.columns, self._first = first
        other = next((c for c in ";\t" if c in self.columns[0]), "")
        if len(self.columns) == 1 and other:
            raise UserError(
                f"--input={path} has {other!r} between its values; expected commas. Export it"
                " again, or replace them (and any decimal commas by points)."
            )

    def numeric(self) -> dict[str, bool]:
        """Return the columns whose first value is a number; none of them is a list."""
        return {name: False for name, text in zip(self.columns, self._first) if _is_number(text)}

    def rows(
        self, columns: Sequence[str], ranges: Sequence[tuple[int, int]] | None = None
    ) -> Iterator[Mapping[str, Any]]:
        """Yield rows as column -> text."""
        places = [self.columns.index(name) for name in columns]
        lines = itertools.islice(self._lines(), 1, None)
        at = 0
        for first, end in [(0, sys.maxsize)] if ranges is None else ranges:
            for number, line in enumerate(itertools.islice(lines, first - at, end - at), first):
                if len(line) != len(self.columns):
                    raise UserError(
                        f"--input={self._path}: row {number + 1} has {len(line)} values, and the"
                        f" header {len(self.columns)} names."
                    )
                yield {name: line[place] for name, place in zip(columns, places)}
            at = end

    def _lines(self) -> Iterator[list[str]]:
        with open(self._path, "rb") as f:
            encoding = encoding_of(f.read(4))
        try:
            with open(self._path, newline="", encoding=encoding) as f:
                yield from (line for line in csv.reader(_bounded(f)) if line)
        except UnicodeDecodeError as error:
            raise UserError(f"--input={self._path} cannot be read ({not_text(error)}).") from None
        except csv.Error as error:
            raise UserError(f"--input={self._path} cannot be read ({error}).") from None


def _bounded(source: IO[str]) -> Iterator[str]:
    while line := source.readline(_LONGEST + 1):
        if len(line) > _LONGEST:
            raise csv.Error(f"a line has more than {_LONGEST:,} characters")
        yield line


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
