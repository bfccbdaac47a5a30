"""The results of compilations in one JSON file, which is written after each of them."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import tensorflow as tf

from yt8m.accelerators.compilation.request import Request, Row, request_of
from yt8m.accelerators.compilation.sources import source_hash
from yt8m.errors import UserError
from yt8m.files import read_json, write_json

# The results that are part of the project.
COMMITTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "compiled.json")


class Results:
    """The rows of a file, one for each request.

    Args:
      path: the file; it need not exist.

    Raises:
      UserError: the file is not one of results.
    """

    def __init__(self, path: str = COMMITTED):
        self.path = path
        self._rows: dict[Request, Row] = {}
        if tf.io.gfile.exists(path):
            try:
                for row in read_json(path)["rows"]:
                    self._rows[request_of(row)] = row
            except (ValueError, KeyError, TypeError) as error:
                raise UserError(
                    f"--results={path} is not a file of results ({error!r}); name another one, or"
                    " delete it to compile everything again."
                ) from None

    def get(self, request: Request) -> Row | None:
        """Return the row of a request, or None."""
        return self._rows.get(request)

    def rows(self) -> list[Row]:
        """Return all rows, by model and then in the order of the programs."""
        return [row for _, row in sorted(self._rows.items(), key=lambda item: _order(item[0]))]

    def put(self, request: Request, row: Row) -> None:
        """Add or replace a row, and write the file."""
        self._rows[request] = {**dataclasses.asdict(request), **row}
        write_json(self.path, {"rows": self.rows()})

    def stale(self) -> list[Row]:
        """Return the rows that are older than the source of their programs."""
        return [row for row in self.rows() if not is_current(row)]


def is_current(row: Row) -> bool:
    """Return whether the source of a row's program is what it was."""
    return row["source_hash"] == source_hash(row["model"], row["program"])


def _order(request: Request) -> tuple[Any, ...]:
    programs = ["train", "evaluate", "predict", "step2", "step3"]
    return (
        request.topology,
        request.model,
        request.dtype,
        request.replicas,
        programs.index(request.program),
        -request.batch_size,
    )
