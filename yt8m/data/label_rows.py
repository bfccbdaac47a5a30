"""The rows of a CSV with the labels of videos, which every command reads in the same way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from yt8m.errors import UserError
from yt8m.text_lines import cells_of, numbered_lines, parsed_json, shortened

IDS = ("id", "video_id", "video", "youtube_id", "videoid", "name", "filename", "file", "path")
LABELS = ("labels", "label", "classes", "class", "category", "categories")
_ONLY_IDS = ("id", "video_id", "videoid", "youtube_id")  # which no video is called
_FORM = "expected 'id,labels', with ; | or blanks between several labels"


class LabelRow(NamedTuple):
    """A row.

    Attributes:
      line: its number in the file, from 1.
      text: the line, cut to a length for messages.
      id: the video's.
      labels: names or numbers of classes.
    """

    line: int
    text: str
    id: str
    labels: tuple[str, ...]


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
            return split_labels(parsed_json(text))
        except ValueError:
            pass
    if re.fullmatch(r"\d+([ ,]+\d+)*", text):
        return tuple(re.findall(r"\d+", text))
    parts = (part.strip() for part in re.split(r"[;|]", text))
    return tuple(filter(None, map(_label, parts)))


def _label(text: str) -> str:
    return "" if text in ("nan", "NaN") else re.sub(r"^(\d+)\.0+$", r"\1", text)


def is_class(label: str) -> bool:
    """Return whether a label is the number of a class."""
    return label.isascii() and label.isdigit() and len(label) < 10  # so that 32 bits suffice


def label_rows(path: str, what: str = "--labels") -> Iterator[LabelRow]:
    """Yield the rows of a CSV `id,labels`, with or without a header.

    A header may name further columns, which are not read. Without one, all cells after the first
    are labels. Several rows may have the same id.

    Args:
      path: local or remote.
      what: description of the file, for messages.

    Raises:
      UserError: the file cannot be read, or a row has another form; the message has its number.
    """
    columns: _Columns | None = None
    for place, (number, line) in enumerate(numbered_lines(path, what)):
        try:
            cells = cells_of(line)
        except ValueError as error:
            raise UserError(f"{path}, line {number}: {error}; {_FORM}.") from None
        if place == 0:
            columns = _columns(cells)
            if columns or _is_plain_header(cells):
                continue
        if len(cells) < 2:
            other = next((c for c in ";\t" if c in line), "")
            why = f"; its values are separated by {other!r}, not by a comma" if other else ""
            raise UserError(f"{path}, line {number}: {shortened(line)}; {_FORM}{why}.")
        if columns and columns != _PLAIN:
            if len(cells) != columns.width:
                raise UserError(
                    f"{path}, line {number}: {len(cells)} values, and the header has"
                    f" {columns.width} names. Separate the labels of a video by ; or |."
                )
            name, values = cells[columns.id], [cells[n] for n in columns.labels]
        else:
            name, values = cells[0], cells[1:]
            if values[0].lstrip().startswith("["):  # a list whose commas are not quoted
                values = [",".join(values)]
        labels = tuple(label for value in values for label in split_labels(value))
        yield LabelRow(number, shortened(line), name.strip(), labels)


class _Columns(NamedTuple):
    """Where a table has the ids and the labels, and how many columns it has."""

    id: int
    labels: tuple[int, ...]
    width: int


_PLAIN = _Columns(0, (1,), 2)  # rows may be longer than this header: they list their labels


def _columns(header: Sequence[str]) -> _Columns | None:
    """Return the columns if this row is a header that names them."""
    names = [cell.strip().lower() for cell in header]
    ids = [name for name in IDS if name in names]
    labels = [name for name in LABELS if name in names]
    if not (ids and labels):
        return None
    places = tuple(n for n, name in enumerate(names) if name == labels[0])
    return _Columns(names.index(ids[0]), places, len(names))


def _is_plain_header(cells: Sequence[str]) -> bool:
    """Return whether a row names the ids, and the labels by a name that is not known here."""
    return cells[0].strip().lower() in _ONLY_IDS and not any(c.isdigit() for c in cells[1:])
