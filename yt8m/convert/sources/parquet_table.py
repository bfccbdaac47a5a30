"""A table in a Parquet file, such as the data sets of the Hugging Face Hub consist of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from yt8m.convert.sources.tables import Table
from yt8m.errors import UserError
from yt8m.stored import intact
from yt8m.submission.scores.parquet import pyarrow

_TOGETHER = 64  # rows that are decoded in one call: of 300 frames of 1152 floats, 88 MB


class ParquetTable(Table):
    """Rows of a Parquet file; of its groups of rows, only those with wanted rows are read.

    Args:
      path: the file.
      label_column: the column whose class names are looked for; "" takes any column with names.

    Raises:
      UserError: pyarrow is missing, or the file cannot be read.
    """

    def __init__(self, path: str, label_column: str = ""):
        self._arrow, self._path = pyarrow(f"--input={path}"), path
        try:
            self._file = self._arrow.parquet.ParquetFile(path)
        except (self._arrow.ArrowException, OSError) as error:
            raise UserError(f"--input={path} is not a Parquet file ({error}).") from None
        self._schema = self._file.schema_arrow
        self.columns = list(self._schema.names)
        self.class_names = _class_names(self._schema.metadata or {}, label_column)

    def numeric(self) -> dict[str, bool]:
        """Return the columns of numbers and of lists of numbers."""
        found = {}
        for field in self._schema:
            inner, depth = _inner(self._arrow, field.type)
            types = self._arrow.types
            if types.is_floating(inner) or types.is_integer(inner):
                found[field.name] = depth > 0
        return found

    def rows(
        self, columns: Sequence[str], ranges: Sequence[tuple[int, int]] | None = None
    ) -> Iterator[Mapping[str, Any]]:
        """Yield rows as column -> value; a list is an array.

        Raises:
          UserError: the file is damaged.
        """
        wanted = None if ranges is None else [n for a, b in ranges for n in range(a, b)]
        start, next_wanted = 0, 0
        for group in range(self._file.num_row_groups):
            end = start + self._file.metadata.row_group(group).num_rows
            if wanted is None:
                yield from self._group(group, columns)
            else:
                own = []
                while next_wanted < len(wanted) and wanted[next_wanted] < end:
                    own.append(wanted[next_wanted] - start)
                    next_wanted += 1
                if own:
                    yield from self._group(group, columns, own)
            start = end

    def _group(
        self, group: int, columns: Sequence[str], own: Sequence[int] | None = None
    ) -> Iterator[Mapping[str, Any]]:
        at = 0
        chosen = None if own is None else iter([*own, -1])
        place = next(chosen) if chosen else -1
        with intact(self._path, "--input needs it whole: download it or make it again."):
            for batch in self._file.iter_batches(
                _TOGETHER, row_groups=[group], columns=list(columns)
            ):
                for row in range(batch.num_rows):
                    if chosen is not None and at + row != place:
                        continue
                    yield {name: _value(batch.column(name)[row]) for name in columns}
                    if chosen is not None:
                        place = next(chosen)
                at += batch.num_rows


def _inner(arrow: Any, kind: Any) -> tuple[Any, int]:
    """Return the type inside of nested lists, and how deep it is."""
    depth, types = 0, arrow.types
    while True:
        if isinstance(kind, arrow.BaseExtensionType):
            kind = kind.storage_type
        elif types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
            kind, depth = kind.value_type, depth + 1
        else:
            return kind, depth


def _value(scalar: Any) -> Any:
    return scalar.as_py()


def _class_names(metadata: Mapping[bytes, bytes], label_column: str) -> Sequence[str]:
    """Return the names of a column's classes, as the library `datasets` stores them."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return ()
    for name, about in features.items():
        if label_column not in ("", name):
            continue
        inner = about.get("feature", about) if isinstance(about, dict) else about
        inner = inner[0] if isinstance(inner, list) and inner else inner
        if isinstance(inner, dict) and inner.get("_type") == "ClassLabel":
            return list(inner.get("names") or ())
    return ()
