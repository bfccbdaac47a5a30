"""The source of an input: its files, all of one kind, which their suffix tells."""

from __future__ import annotations

import os
from collections.abc import Sequence

from yt8m.convert.settings import ConvertSettings
from yt8m.convert.source import Source
from yt8m.convert.sources.arrays import ArrayFiles
from yt8m.convert.sources.csv_table import CsvTable
from yt8m.convert.sources.parquet_table import ParquetTable
from yt8m.convert.sources.protos import MediaPipeFiles, RecordFiles
from yt8m.convert.sources.tables import Table, TableFiles, roles_of
from yt8m.data.files.shards import find_shards
from yt8m.errors import UserError

_ARRAYS = (".npy", ".npz")
_TABLES = (".csv", ".parquet")
_KINDS = (*_ARRAYS, *_TABLES, ".pb", ".tfrecord", ".tfrecords")


def input_files(pattern: str) -> list[str]:
    """Return the files of an input, sorted.

    Args:
      pattern: comma-separated globs, or a folder, in which files of a known kind are looked for.

    Raises:
      UserError: there are none, they are of unknown or several kinds, or they are remote.
    """
    if not pattern:
        raise UserError(f"--input is empty; name {_expected()}, such as 'features/*.npy'.")
    if "://" in pattern:
        raise UserError(f"--input={pattern} is remote; copy the files to a local folder first.")
    if os.path.isdir(pattern):
        files = sorted(
            os.path.join(folder, name)
            for folder, _, names in os.walk(pattern)
            for name in names
            if name.endswith(_KINDS)
        )
        if not files:
            raise UserError(f"--input={pattern} contains no {_expected()}.")
    else:
        files = find_shards(pattern, "--input")
    kinds = {_kind(path) for path in files}
    if len(kinds) > 1:
        raise UserError(
            f"--input={pattern} has files of several kinds ({', '.join(sorted(kinds))}); convert"
            " one kind at a time, such as --input='features/*.npy'."
        )
    return files


def open_source(files: Sequence[str], settings: ConvertSettings) -> Source:
    """Return the source of files of one kind.

    Raises:
      UserError: a file cannot be read, or an extra is missing.
    """
    kind = _kind(files[0])
    if kind in _ARRAYS:
        return ArrayFiles(files, settings.feature_name)
    if kind == ".pb":
        return MediaPipeFiles(files)
    if kind not in _TABLES:
        return RecordFiles(files)
    asked = {
        "id": settings.id_column,
        "labels": settings.label_column,
        "frame": settings.frame_column,
    }
    tables = {}
    for path in files:
        table: Table = (
            CsvTable(path) if kind == ".csv" else ParquetTable(path, settings.label_column)
        )
        tables[path] = table, roles_of(table, asked, settings.feature_name, path)
    return TableFiles(tables)


def _kind(path: str) -> str:
    kind = os.path.splitext(path)[1].lower()
    if kind not in _KINDS:
        raise UserError(f"--input: {path} is of no known kind; expected {_expected()}.")
    return kind


def _expected() -> str:
    return f"{', '.join(_KINDS[:-2])} or {_KINDS[-2]} files"
